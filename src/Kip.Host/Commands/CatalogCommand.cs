using System.CommandLine;
using Kip.Drivers;
using Kip.Host.Configuration;
using Kip.Host.Terminal;
using Kip.Sizing;

namespace Kip.Host.Commands;

/// <summary><c>kip catalog</c>: the instance types there are, with their prices.</summary>
internal static class CatalogCommand
{
    private static readonly string[] Header = ["TYPE", "ARCH", "VCPU", "BASELINE", "MEMORY", "USABLE", "GPUS", "DISK", "ON-DEMAND", "SPOT", "PRICES-OF", "ZONES"];

    public static Command Create()
    {
        var catalog = new CatalogOptions();
        var type = new Option<string?>("--type") { Description = "Only types of this name; * stands for any characters" };
        var architecture = new Option<string?>("--arch") { Description = "Only amd64, or only arm64" };
        var gpu = new Option<bool>("--gpu") { Description = "Only types with GPUs" };
        var cpu = new Option<string?>("--min-cpu") { Description = "At least so many processors, as a Kubernetes quantity" };
        var memory = new Option<string?>("--min-memory") { Description = "At least so much memory, as a Kubernetes quantity" };
        var command = new Command("catalog", "List instance types with their prices, cheapest first") { type, architecture, gpu, cpu, memory };
        catalog.AddTo(command);
        command.SetAction(parsed => List(
            catalog.Load(parsed).Catalog,
            new Filter(
                parsed.GetValue(type) ?? "*",
                parsed.GetValue(architecture),
                parsed.GetValue(gpu),
                QuantityOption.Read("--min-cpu", parsed.GetValue(cpu)).MilliValue(),
                QuantityOption.Read("--min-memory", parsed.GetValue(memory)).ToInt64Ceiling())));
        return command;
    }

    private static int List(InstanceCatalog catalog, Filter filter)
    {
        var rows = catalog.Types
            .Where(filter.Takes)
            .Select(static type => (Type: type, OnDemand: Least(type, CapacityType.OnDemand), Spot: Least(type, CapacityType.Spot)))
            .OrderBy(static row => row.OnDemand?.PricePerHour ?? decimal.MaxValue)
            .ThenBy(static row => row.Type.Name, StringComparer.Ordinal)
            .Select(static row => Row(row.Type, row.OnDemand, row.Spot))
            .Prepend(Header)
            .ToList();
        if (rows.Count == 1)
        {
            Console.Error.WriteLine($"No instance types in {catalog.Region}.");
            return ExitCodes.Ok;
        }

        Table.Write(Console.Out, rows);
        foreach (var family in catalog.CustomFamilies.Where(family => filter.TakesCustom(family)))
        {
            var prices = family.Prices.Select(static price => $"{Prices.Name(price.CapacityType)} {Prices.Text(price.PerVCpuHour)} a vCPU and {Prices.Text(price.PerGibibyteHour)} a GiB ({price.Basis})");
            Console.Out.WriteLine($"{family.Prefix}-*: any size within {family.VCpus[0]} to {family.VCpus[^1]} vCPU; {string.Join(", ", prices)}");
        }

        return ExitCodes.Ok;
    }

    private static string[] Row(InstanceType type, Offering? onDemand, Offering? spot) =>
    [
        type.Name,
        type.Architecture,
        Sizes.Cpu(type.MilliCpu),
        type.BaselineMilliCpu is { } baseline ? Sizes.Cpu(baseline) : "",
        Sizes.Memory(type.MemoryBytes),
        Sizes.Memory(MemorySizes.Usable(type)) + (type.UsableMemoryBytes is null ? "~" : ""),
        type.Gpus?.ToString() ?? "",
        type.LocalDiskBytes > 0 ? Sizes.Memory(type.LocalDiskBytes) : "",
        onDemand is null ? "-" : Prices.Text(onDemand.PricePerHour),
        spot is null ? "-" : Prices.Text(spot.PricePerHour),
        string.Join(", ", new[] { onDemand, spot }.Where(static offering => offering?.PricePerHour is not null).Select(static offering => offering!.Basis.ToString()).Distinct()),
        string.Join(" ", type.Offerings.Select(static offering => offering.Zone).Distinct().Order(StringComparer.Ordinal)),
    ];

    private static Offering? Least(InstanceType type, CapacityType capacityType) =>
        type.Offerings.Where(offering => offering.CapacityType == capacityType).MinBy(static offering => offering.PricePerHour ?? decimal.MaxValue);

    private sealed record Filter(string Name, string? Architecture, bool Gpu, long MilliCpu, long MemoryBytes)
    {
        private readonly LabelRequirement _name = new("node.kubernetes.io/instance-type", LabelOperator.Matches, [Name]);

        public bool Takes(InstanceType type) =>
            _name.IsMetBy(type.Name)
            && (Architecture is null || type.Architecture == Architecture)
            && (!Gpu || type.Gpus is not null)
            && type.MilliCpu >= MilliCpu
            && type.MemoryBytes >= MemoryBytes;

        public bool TakesCustom(CustomMachineFamily family) =>
            !Gpu && _name.IsMetBy(family.Prefix + "-") && (Architecture is null || family.Architecture == Architecture);
    }
}
