using System.Globalization;
using System.Text.Json.Serialization;
using Kip.Drivers;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.Cells;

/// <summary>A cell's record as an API server keeps it; deploy/crd.yaml is its schema.</summary>
internal sealed class CellObject : ApiObject, IKubernetesObject
{
    /// <summary>Whose cell it is: a controller reads and changes those of its own only.</summary>
    public const string ControllerLabel = "kip.elotl.co/controller-id";

    /// <summary>A node's cells are owned by this and the node's name.</summary>
    private const string NodePrefix = "node-";

    public static ResourceType<CellObject> Resource { get; } = new()
    {
        Group = "kip.elotl.co",
        Version = "v1beta1",
        Kind = "Cell",
        Plural = "cells",
        Namespaced = false,
        Json = CellsJsonContext.Default.CellObject,
        ListJson = CellsJsonContext.Default.CellObjectList,
    };

    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    /// <summary>The whole record; null in an object that is not Kip for .NET's.</summary>
    public CellRecord? Record { get; set; }

    /// <summary>Random, another one with each write: whoever had no answer knows by it whether the write took effect.</summary>
    public string? Write { get; set; }

    /// <summary>What <c>kubectl get cells</c> shows; nobody reads it back.</summary>
    public CellColumns? Status { get; set; }

    /// <summary>For <see cref="CellRecord.StoreVersion"/>: the version of the object, and by which write its record is as it is.</summary>
    [JsonIgnore]
    public string StoreVersion => $"{Metadata.ResourceVersion} {Write}";

    /// <summary>The version of the object that a record was read from.</summary>
    public static string? ResourceVersionOf(CellRecord record) => record.StoreVersion?.Split(' ')[0];

    /// <summary>The write that a record was read of.</summary>
    public static string? WriteOf(CellRecord record) => record.StoreVersion?.Split(' ')[1];

    /// <summary>The object of a record.</summary>
    /// <param name="record">The record.</param>
    /// <param name="controllerId">Whose it is.</param>
    /// <param name="write">Names the write.</param>
    public static CellObject Of(CellRecord record, string controllerId, string write) => new()
    {
        Metadata = new ObjectMeta
        {
            Name = record.Id,
            ResourceVersion = ResourceVersionOf(record),
            Labels = new Dictionary<string, string> { [ControllerLabel] = controllerId },
        },
        Record = record,
        Write = write,
        Status = new CellColumns
        {
            PodName = record.Pod?.Name,
            PodNamespace = record.Pod?.Namespace,
            Node = record.Owner.StartsWith(NodePrefix, StringComparison.Ordinal) ? record.Owner[NodePrefix.Length..] : record.Owner,
            ControllerID = controllerId,
            LaunchType = record.CapacityType == CapacityType.Spot ? "Spot" : "On-Demand",
            InstanceType = record.InstanceType,
            InstanceID = record.InstanceId,
            Ip = record.Address,
            State = record.State.ToString(),
            StateSince = record.StateSince,
            Zone = record.Zone,
            PricePerHour = (record.PricePerHour + (record.Spare?.PricePerHour ?? 0))?.ToString(CultureInfo.InvariantCulture),
            Reason = record.Reason,
            Message = record.Message ?? (record is { State: < CellState.Ready, Spare: not null } ? "its boot has stalled; another instance boots beside it" : null),
        },
    };
}

/// <summary>The columns of <c>kubectl get cells</c>. The Go Kip's come first, with its names.</summary>
internal sealed class CellColumns
{
    public string? PodName { get; set; }

    public string? PodNamespace { get; set; }

    public string? Node { get; set; }

    public string? ControllerID { get; set; }

    public string? LaunchType { get; set; }

    public string? InstanceType { get; set; }

    public string? InstanceID { get; set; }

    public string? Ip { get; set; }

    public string? State { get; set; }

    public DateTimeOffset? StateSince { get; set; }

    public string? Zone { get; set; }

    public string? PricePerHour { get; set; }

    public string? Reason { get; set; }

    public string? Message { get; set; }
}
