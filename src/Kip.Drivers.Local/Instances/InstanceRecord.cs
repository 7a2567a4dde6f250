using System.Text.Json.Serialization;

namespace Kip.Drivers.Local.Instances;

/// <summary>What was decided about a cell before anything of it was made. Never changed afterwards.</summary>
internal sealed record InstanceRecord
{
    public required string Id { get; init; }

    public required string InstanceType { get; init; }

    public required string Zone { get; init; }

    public CapacityType CapacityType { get; init; }

    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    public required string Address { get; init; }

    public required string PodAddress { get; init; }

    public required DateTimeOffset LaunchedAt { get; init; }

    /// <summary>Why the cell ended; only in the note that is left when everything else is gone.</summary>
    public string? EndReason { get; init; }

    public Instance ToInstance(InstanceState state, string? reason) => new()
    {
        Id = Id,
        State = state,
        InstanceType = InstanceType,
        Zone = Zone,
        CapacityType = CapacityType,
        Address = Address,
        PodAddress = PodAddress,
        Tags = Tags,
        LaunchedAt = LaunchedAt,
        StateReason = reason,
    };
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    WriteIndented = true)]
[JsonSerializable(typeof(InstanceRecord))]
internal sealed partial class InstanceJsonContext : JsonSerializerContext;
