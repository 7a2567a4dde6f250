using System.Globalization;
using System.Runtime.InteropServices;
using Kip.Sizing;

namespace Kip.Drivers.Local;

/// <summary>
/// The instance types of the local "cloud". Their prices are made up; only their order means something: more costs more, spot costs less.
/// </summary>
internal sealed class LocalCatalog
{
    public const string Region = "local";
    public const string Zone = "local-a";

    private const long GiB = 1L << 30;

    private static readonly LocalType[] AllTypes =
    [
        new("local.nano", 500, GiB / 2, 64 * GiB, 0.005m),
        new("local.micro", 1000, GiB, 64 * GiB, 0.010m),
        new("local.small", 1000, 2 * GiB, 128 * GiB, 0.020m),
        new("local.medium", 2000, 4 * GiB, 256 * GiB, 0.040m),
        new("local.large", 2000, 8 * GiB, 512 * GiB, 0.060m),
        new("local.xlarge", 4000, 16 * GiB, 1024 * GiB, 0.120m),
        new("local.2xlarge", 8000, 32 * GiB, 1024 * GiB, 0.240m),
    ];

    private readonly LocalType[] _offered;

    public LocalCatalog(int processors, long memoryBytes)
    {
        _offered = [.. AllTypes.Where(type => type.MilliCpu <= processors * 1000L && type.MemoryBytes <= memoryBytes)];
        var architecture = RuntimeInformation.OSArchitecture switch
        {
            System.Runtime.InteropServices.Architecture.Arm64 => "arm64",
            _ => "amd64",
        };
        Instances = new InstanceCatalog(Region, [.. _offered.Select(type => type.ToInstanceType(architecture))]);
    }

    public InstanceCatalog Instances { get; }

    public static LocalCatalog OfThisMachine() => new(Environment.ProcessorCount, TotalMemory());

    public LocalType Find(string name) => Array.Find(_offered, type => type.Name == name) ?? throw new DriverException(
        DriverErrorKind.Unsupported,
        Array.Exists(AllTypes, type => type.Name == name)
            ? $"instance type {name} is larger than this machine; the largest it can offer is {(_offered.Length > 0 ? _offered[^1].Name : "none")}"
            : $"there is no local instance type {name}; there are {string.Join(", ", _offered.Select(type => type.Name))}");

    private static long TotalMemory()
    {
        // "MemTotal:       24682416 kB", proc(5).
        var line = File.ReadLines("/proc/meminfo").First(line => line.StartsWith("MemTotal:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}

internal sealed record LocalType(string Name, long MilliCpu, long MemoryBytes, long MaxDiskBytes, decimal PricePerHour)
{
    /// <summary>Processes and threads, in proportion to memory: 2048 for each 512 MiB.</summary>
    public long MaxProcesses => MemoryBytes >> 18;

    public InstanceType ToInstanceType(string architecture) => new()
    {
        Name = Name,
        MilliCpu = MilliCpu,
        MemoryBytes = MemoryBytes,
        // The limit of a cgroup, of which no kernel takes a part.
        UsableMemoryBytes = MemoryBytes,
        Architecture = architecture,
        MaxDiskBytes = MaxDiskBytes,
        Offerings =
        [
            new Offering(LocalCatalog.Zone, CapacityType.OnDemand, PricePerHour),
            new Offering(LocalCatalog.Zone, CapacityType.Spot, PricePerHour * 0.3m),
        ],
    };
}
