using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Pods;

/// <summary>Where the cell of a pod must be for its persistent volumes to be attached to it.</summary>
internal static class VolumePlacement
{
    private const string ZoneSuffix = "/zone"; // topology.kubernetes.io/zone, topology.ebs.csi.aws.com/zone, topology.gke.io/zone
    private const string ZoneSeparator = "__"; // in the label of a volume that is in several zones

    /// <summary>Adds to a request that the cell must be in the zones of the pod's volumes.</summary>
    /// <param name="request">What the cell must be.</param>
    /// <param name="volumes">The pod's volumes.</param>
    /// <param name="attacher">The driver, if it can attach any.</param>
    /// <param name="cloud">Name of the driver, for messages.</param>
    /// <exception cref="CellException">A volume is not for this driver.</exception>
    /// <exception cref="DriverException">A volume is for this driver, and cannot be used as it is.</exception>
    public static CellRequest Place(CellRequest request, IReadOnlyList<PodPersistentVolume> volumes, IVolumeAttacher? attacher, string cloud)
    {
        var rules = new List<PlacementRule>();
        foreach (var volume in volumes)
        {
            var pv = volume.Volume;
            var attachable = volume.IsDevice ? Identify(volume, attacher, cloud) : null;
            rules.AddRange(ZoneRules(pv, attachable).Select(
                terms => new PlacementRule($"PersistentVolume {pv.Metadata.Name} of volume {volume.Name} is in {string.Join(" or ", terms.SelectMany(static t => t))}", [.. terms.Select(Term)])));
        }

        return rules.Count == 0 ? request : request with { Rules = [.. request.Rules, .. rules] };
    }

    /// <summary>What a volume is to the driver.</summary>
    /// <exception cref="CellException">It is not for this driver.</exception>
    /// <exception cref="DriverException">It is, and cannot be used as it is.</exception>
    public static AttachableVolume Identify(PodPersistentVolume volume, IVolumeAttacher? attacher, string cloud)
    {
        var spec = volume.Volume.Spec;
        if (spec is { AwsElasticBlockStore.Partition: > 0 } or { GcePersistentDisk.Partition: > 0 })
        {
            throw Unsupported("names a partition, and only whole disks can be attached");
        }

        return attacher?.Identify(volume.Volume) ?? throw Unsupported($"is {Describe(spec)}, which the driver '{cloud}' cannot attach to a cell");

        CellException Unsupported(string why) => new("UnsupportedVolume", $"volume {volume.Name}: PersistentVolume {volume.Volume.Metadata.Name} {why}");
    }

    private static string Describe(PersistentVolumeSpec spec) => spec switch
    {
        { Csi.Driver: var driver } => $"of CSI driver {driver}",
        { Local.Path: var path } => $"local path {path}",
        { HostPath.Path: var path } => $"host path {path}",
        { AwsElasticBlockStore: not null } => "awsElasticBlockStore",
        { GcePersistentDisk: not null } => "gcePersistentDisk",
        { AzureDisk: not null } => "azureDisk",
        _ => string.Join(", ", spec.Unknown?.Keys ?? (IEnumerable<string>)["of no source"]),
    };

    /// <summary>Lists of zones, one of each of which the cell must be in.</summary>
    private static IEnumerable<List<IReadOnlyList<string>>> ZoneRules(PersistentVolume volume, AttachableVolume? attachable)
    {
        if (attachable?.Zone is { Length: > 0 } zone)
        {
            yield return [[zone]];
        }

        foreach (var (key, value) in volume.Metadata.Labels ?? [])
        {
            if (WellKnownLabels.Canonical(key) == WellKnownLabels.Zone && value.Length > 0)
            {
                yield return [value.Split(ZoneSeparator)];
            }
        }

        // Other labels (the host name of a local volume) are those of the node that the scheduler has chosen.
        var terms = (volume.Spec.NodeAffinity?.Required?.NodeSelectorTerms ?? []).Select(ZonesOf).ToList();
        if (terms.Count > 0 && terms.TrueForAll(static t => t is not null))
        {
            yield return terms!;
        }
    }

    private static IReadOnlyList<string>? ZonesOf(NodeSelectorTerm term) =>
        term.MatchExpressions?.Find(static e => e is { Operator: "In", Values.Count: > 0 } && e.Key.EndsWith(ZoneSuffix, StringComparison.Ordinal))?.Values;

    private static IReadOnlyList<LabelRequirement> Term(IReadOnlyList<string> zones) => [new LabelRequirement(WellKnownLabels.Zone, LabelOperator.In, zones)];
}
