using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Kip.Host.Configuration;
using Kip.Host.Terminal;
using Kip.Kubernetes.Objects;
using Kip.Pods;
using Kip.Sizing;
using Kip.Sizing.Compatibility;

namespace Kip.Host.Commands;

/// <summary><c>kip explain pod.yaml</c>: which cell a pod would get, and why. Asks no cloud.</summary>
internal static class ExplainCommand
{
    private const int DefaultTop = 10;
    private static readonly string[] Header = ["", "TYPE", "CAPACITY", "$/HOUR", "PRICE-OF", "VCPU", "MEMORY", "UNUSED", "ZONES"];

    public static Command Create()
    {
        var catalog = new CatalogOptions();
        var manifest = PodFile.CreateArgument();
        var output = new Option<string>("--output", "-o") { Description = "text or json", DefaultValueFactory = static _ => "text" };
        output.AcceptOnlyFromAmong("text", "json");
        var top = new Option<int>("--top") { Description = "How many ways to have the cell to print as text", DefaultValueFactory = static _ => DefaultTop };
        var rule = new Option<string>("--rule")
        {
            Description = "kubernetes, or go-kip for the type that the Go Kip would have chosen",
            DefaultValueFactory = static _ => "kubernetes",
        };
        rule.AcceptOnlyFromAmong("kubernetes", "go-kip");
        var command = new Command("explain", "Say which cell a pod would get, at what price, and why no other") { manifest, output, top, rule };
        catalog.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var pod = await PodFile.ReadAsync(parsed.GetRequiredValue(manifest), Console.Error.WriteLine, cancellationToken).ConfigureAwait(false);
            var (cloud, instances) = catalog.Load(parsed);
            var request = PodRequirements.Read(pod, out var errors, out var warnings);
            foreach (var warning in warnings)
            {
                await Console.Error.WriteLineAsync($"warning: {warning}").ConfigureAwait(false);
            }

            if (errors.Count > 0)
            {
                throw new HostException(ExitCodes.Usage, $"the pod cannot be run:\n  {string.Join("\n  ", errors)}");
            }

            if (parsed.GetValue(rule) == "go-kip")
            {
                request = GoKipSelector.Name(request, pod, null, instances)
                    ?? throw new HostException(ExitCodes.KipFailed, "no instance type has what the pod asks for, by the rule of the Go Kip");
            }

            var selection = InstanceSelector.Explain(request, instances);
            if (parsed.GetValue(output) == "json")
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(ExplainDocument.Of(cloud, instances, pod.Spec, request, selection), ExplainJson.Default.ExplainDocument));
            }
            else
            {
                Write(cloud, instances, pod.Spec, request, selection, parsed.GetValue(top));
            }

            return selection.Problem is null ? ExitCodes.Ok : ExitCodes.KipFailed;
        });
        return command;
    }

    private static void Write(string cloud, InstanceCatalog catalog, PodSpec spec, CellRequest request, Selection selection, int top)
    {
        var output = Console.Out;
        output.WriteLine("The pod asks for");
        foreach (var resource in Resources(spec))
        {
            output.WriteLine($"  {resource.Resource,-18}{resource}");
        }

        output.WriteLine($"  {"the cell itself",-18}{Sizes.Memory(request.Overhead.MemoryBytes)} of memory, {Sizes.Memory(request.Overhead.DiskBytes)} of disk");
        output.WriteLine($"  {"in all",-18}{Sizes.Cpu(request.Total.MilliCpu)} vCPU, {Sizes.Memory(request.Total.MemoryBytes)} of memory, {Sizes.Memory(request.DiskBytes)} of disk");
        output.WriteLine($"  {"paid for",-18}{string.Join(", then ", request.CapacityTypes.Select(Prices.Name))} ({request.CapacitySource})");
        if (request.InstanceType is { } name)
        {
            output.WriteLine($"  {"type",-18}{name}, by name, whatever the pod asks for");
        }

        foreach (var rule in request.Rules)
        {
            output.WriteLine($"  {"where",-18}{rule.Source}");
        }

        output.WriteLine();
        var ways = Group(selection.Ranking);
        output.WriteLine($"{cloud} {catalog.Region}: {ways.Count} ways to have it{(ways.Count > top ? $", of which the first {top}" : "")}");
        if (ways.Count > 0)
        {
            Table.Write(output, [Header, .. ways.Take(top).Select((way, i) => Row(request, way, i + 1))], "  ");
        }

        output.WriteLine();
        output.WriteLine("Excluded");
        foreach (var reason in selection.Excluded.GroupBy(static exclusion => exclusion.Reason).OrderByDescending(static reason => reason.Count()))
        {
            var names = reason.Select(static exclusion => exclusion.Offering is { Zone.Length: > 0 } offering ? $"{exclusion.Type.Name} in {offering.Zone}" : exclusion.Type.Name).Distinct().ToList();
            output.WriteLine($"  {reason.Count(),5} {reason.Key}: {string.Join(", ", names.Take(3))}{(names.Count > 3 ? ", …" : "")}");
        }

        output.WriteLine();
        output.WriteLine(selection.Problem is { } problem ? $"No cell: {problem}." : Choice(selection.Ranking[0]));
    }

    private static string Choice(Candidate first) =>
        $"The cell would be {first.Type.Name}{(first.Offering.Zone.Length > 0 ? " in " + first.Offering.Zone : "")}, {Prices.Name(first.Offering.CapacityType)}, "
        + (first.PricePerHour is null
            ? "at a price that is not known."
            : $"{Prices.Text(first.PricePerHour)} $/h{(first.Surcharge > 0 ? $", of which {Prices.Text(first.Surcharge)} for processors above its baseline" : "")}{(first.Offering.Basis.Month is null ? "" : $" (price of {first.Offering.Basis})")}.");

    private static string[] Row(CellRequest request, List<Candidate> way, int place) =>
    [
        place.ToString(CultureInfo.InvariantCulture),
        way[0].Type.Name + (way[0].Type.Gpus is { Attached: true } gpus ? $" + {gpus}" : ""),
        Prices.Name(way[0].Offering.CapacityType),
        Prices.Text(way[0].PricePerHour),
        way[0].PricePerHour is null ? "" : way[0].Offering.Basis.ToString(),
        Sizes.Cpu(way[0].Type.MilliCpu),
        Sizes.Memory(way[0].Type.MemoryBytes),
        $"{Sizes.Cpu(Math.Max(0, way[0].Type.MilliCpu - request.Total.MilliCpu))} vCPU, {Sizes.Memory(Math.Max(0, MemorySizes.Usable(way[0].Type) - request.Total.MemoryBytes))}",
        string.Join(" ", way.Select(static candidate => candidate.Offering.Zone)),
    ];

    // Zones at one price are one line: they differ in nothing else.
    private static List<List<Candidate>> Group(IReadOnlyList<Candidate> ranking)
    {
        var ways = new List<List<Candidate>>();
        foreach (var candidate in ranking)
        {
            if (ways.Count > 0
                && ways[^1][0] is var last
                && ReferenceEquals(last.Type, candidate.Type)
                && (last.Offering.CapacityType, last.PricePerHour) == (candidate.Offering.CapacityType, candidate.PricePerHour))
            {
                ways[^1].Add(candidate);
            }
            else
            {
                ways.Add([candidate]);
            }
        }

        return ways;
    }

    private static IEnumerable<ResourceBreakdown> Resources(PodSpec spec) =>
        PodResources.Names(spec).Union(["cpu", "memory"]).Order(StringComparer.Ordinal).Select(name => PodResources.Explain(spec, name));
}
