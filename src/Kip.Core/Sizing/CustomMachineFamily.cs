using System.Globalization;
using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>Machines whose size the user chooses, as Compute Engine has them: within rules, priced by vCPU and by GiB.</summary>
public sealed record CustomMachineFamily
{
    /// <summary>The family, for example <c>n2</c>; <c>n1</c> is what GPUs attach to.</summary>
    public required string Family { get; init; }

    /// <summary>What the type's name begins with; the name is <c>{Prefix}-{vCPUs}-{MiB}</c>, or <c>{Prefix}-{MiB}</c> with a shared core.</summary>
    public required string Prefix { get; init; }

    /// <summary>Architecture as in <see cref="InstanceType.Architecture"/>.</summary>
    public string Architecture { get; init; } = "amd64";

    /// <summary>The numbers of vCPUs that are allowed, ascending.</summary>
    public required IReadOnlyList<int> VCpus { get; init; }

    /// <summary>Least memory in MiB for each vCPU; 0 for no rule.</summary>
    public int MinMebibytesPerVCpu { get; init; }

    /// <summary>Most memory in MiB for each vCPU; 0 for no rule.</summary>
    public int MaxMebibytesPerVCpu { get; init; }

    /// <summary>Least memory in MiB of the machine; 0 for no rule.</summary>
    public int MinMebibytes { get; init; }

    /// <summary>Most memory in MiB of the machine; 0 for no rule.</summary>
    public int MaxMebibytes { get; init; }

    /// <summary>Memory is a multiple of this, in MiB.</summary>
    public int StepMebibytes { get; init; } = 256;

    /// <summary>Of a shared core, thousandths of a vCPU that may be used without end and are paid for; null for whole vCPUs.</summary>
    public int? SharedMilliCpu { get; init; }

    /// <summary>The zones; one that is empty where they are not known.</summary>
    public required IReadOnlyList<string> Zones { get; init; }

    /// <summary>The prices, one for each capacity type that is offered.</summary>
    public required IReadOnlyList<CustomMachinePrice> Prices { get; init; }

    /// <summary>The smallest, and so the cheapest, machine of this family with at least so much; null when there is none.</summary>
    /// <param name="milliCpu">Processors in thousandths of a vCPU that must be there without end.</param>
    /// <param name="usableMemoryBytes">Memory in bytes that Linux must have, see <see cref="MemorySizes"/>.</param>
    public InstanceType? Fit(long milliCpu, long usableMemoryBytes) => Fit(milliCpu, usableMemoryBytes, maxVCpus: int.MaxValue, maxMebibytes: long.MaxValue);

    /// <summary>The machine of that name, when the rules allow it; null otherwise.</summary>
    public InstanceType? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!name.StartsWith(Prefix + "-", StringComparison.Ordinal))
        {
            return null;
        }

        var numbers = name[(Prefix.Length + 1)..].Split('-');
        var shared = SharedMilliCpu is not null;
        if (numbers.Length != (shared ? 1 : 2) || !long.TryParse(numbers[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var mebibytes))
        {
            return null;
        }

        var vcpus = VCpus[0];
        if (!shared && !(int.TryParse(numbers[0], NumberStyles.None, CultureInfo.InvariantCulture, out vcpus) && VCpus.Contains(vcpus)))
        {
            return null;
        }

        return IsAllowed(vcpus, mebibytes) ? Make(vcpus, mebibytes) : null;
    }

    internal InstanceType? Fit(long milliCpu, long usableMemoryBytes, int maxVCpus, long maxMebibytes)
    {
        if (SharedMilliCpu is { } shared && milliCpu > shared)
        {
            return null;
        }

        var asked = MemorySizes.Nominal(usableMemoryBytes, (long)StepMebibytes << 20) >> 20;
        foreach (var vcpus in VCpus)
        {
            if (vcpus > maxVCpus)
            {
                return null;
            }

            if (SharedMilliCpu is null && vcpus * 1000L < milliCpu)
            {
                continue;
            }

            var least = Math.Max(Math.Max(asked, StepMebibytes), Math.Max(MinMebibytes, (long)MinMebibytesPerVCpu * vcpus));
            var memory = (least + StepMebibytes - 1) / StepMebibytes * StepMebibytes;
            if (memory <= maxMebibytes && IsAllowed(vcpus, memory))
            {
                return Make(vcpus, memory);
            }
        }

        return null;
    }

    private bool IsAllowed(int vcpus, long mebibytes) =>
        mebibytes % StepMebibytes == 0
        && mebibytes > 0
        && mebibytes >= (long)MinMebibytesPerVCpu * vcpus
        && mebibytes >= MinMebibytes
        && (MaxMebibytesPerVCpu == 0 || mebibytes <= (long)MaxMebibytesPerVCpu * vcpus)
        && (MaxMebibytes == 0 || mebibytes <= MaxMebibytes);

    private InstanceType Make(int vcpus, long mebibytes)
    {
        var billed = SharedMilliCpu is { } shared ? shared / 1000m : vcpus;
        var gibibytes = mebibytes / 1024m;
        var offerings = new List<Offering>(Prices.Count * Zones.Count);
        foreach (var price in Prices)
        {
            foreach (var zone in Zones)
            {
                offerings.Add(new Offering(zone, price.CapacityType, (billed * price.PerVCpuHour) + (gibibytes * price.PerGibibyteHour)) { Basis = price.Basis });
            }
        }

        return new InstanceType
        {
            Name = SharedMilliCpu is null
                ? string.Create(CultureInfo.InvariantCulture, $"{Prefix}-{vcpus}-{mebibytes}")
                : string.Create(CultureInfo.InvariantCulture, $"{Prefix}-{mebibytes}"),
            MilliCpu = vcpus * 1000L,
            BaselineMilliCpu = SharedMilliCpu,
            MemoryBytes = mebibytes << 20,
            Architecture = Architecture,
            Offerings = offerings,
        };
    }
}

/// <summary>What a custom machine costs.</summary>
/// <param name="CapacityType">How it is paid for.</param>
/// <param name="PerVCpuHour">Dollars for an hour of one vCPU.</param>
/// <param name="PerGibibyteHour">Dollars for an hour of one GiB of memory.</param>
public sealed record CustomMachinePrice(CapacityType CapacityType, decimal PerVCpuHour, decimal PerGibibyteHour)
{
    /// <summary>Where the price is from.</summary>
    public PriceBasis Basis { get; init; }
}
