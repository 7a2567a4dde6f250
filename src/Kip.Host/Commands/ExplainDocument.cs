using System.Text.Json.Serialization;
using Kip.Host.Terminal;
using Kip.Kubernetes.Objects;
using Kip.Pods;
using Kip.Sizing;

namespace Kip.Host.Commands;

/// <summary>What <c>kip explain -o json</c> prints. Sizes in thousandths of a vCPU and in bytes, prices in dollars per hour.</summary>
internal sealed record ExplainDocument
{
    public required string Cloud { get; init; }

    public required string Region { get; init; }

    public required ExplainRequest Request { get; init; }

    public required IReadOnlyList<ExplainCandidate> Candidates { get; init; }

    public required IReadOnlyList<ExplainExclusion> Excluded { get; init; }

    /// <summary>What stands in the way when nothing fits.</summary>
    public string? Problem { get; init; }

    public static ExplainDocument Of(string cloud, InstanceCatalog catalog, PodSpec spec, CellRequest request, Selection selection) => new()
    {
        Cloud = cloud,
        Region = catalog.Region,
        Request = new ExplainRequest(
            PodResources.Names(spec).ToDictionary(static name => name, name => PodResources.Explain(spec, name).ToString()),
            request.Total.MilliCpu,
            request.Total.MemoryBytes,
            request.DiskBytes,
            request.Devices,
            [.. request.CapacityTypes.Select(Prices.Name)],
            request.InstanceType,
            [.. request.Rules.Select(static rule => rule.Source)],
            request.MaxPricePerHour),
        Candidates =
        [
            .. selection.Ranking.Select(candidate => new ExplainCandidate(
                candidate.Type.Name,
                candidate.Type.Gpus?.ToString(),
                candidate.Offering.Zone,
                Prices.Name(candidate.Offering.CapacityType),
                candidate.PricePerHour,
                candidate.Surcharge,
                candidate.PricePerHour is null ? null : candidate.Offering.Basis.ToString(),
                Math.Max(0, candidate.Type.MilliCpu - request.Total.MilliCpu),
                Math.Max(0, MemorySizes.Usable(candidate.Type) - request.Total.MemoryBytes))),
        ],
        Excluded = [.. selection.Excluded.Select(static exclusion => new ExplainExclusion(exclusion.Type.Name, exclusion.Offering?.Zone, exclusion.Reason))],
        Problem = selection.Problem,
    };
}

internal sealed record ExplainRequest(
    IReadOnlyDictionary<string, string> Resources,
    long MilliCpu,
    long MemoryBytes,
    long DiskBytes,
    IReadOnlyDictionary<string, long> Devices,
    IReadOnlyList<string> CapacityTypes,
    string? InstanceType,
    IReadOnlyList<string> Rules,
    decimal? MaxPricePerHour);

internal sealed record ExplainCandidate(
    string Type,
    string? Gpus,
    string Zone,
    string CapacityType,
    decimal? PricePerHour,
    decimal Surcharge,
    string? PriceOf,
    long UnusedMilliCpu,
    long UnusedMemoryBytes);

internal sealed record ExplainExclusion(string Type, string? Zone, string Reason);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ExplainDocument))]
internal sealed partial class ExplainJson : JsonSerializerContext;
