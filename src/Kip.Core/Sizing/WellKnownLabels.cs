using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>The node labels that say what a machine is and where, and by which pods choose one.</summary>
internal static class WellKnownLabels
{
    public const string Architecture = "kubernetes.io/arch";
    public const string InstanceType = "node.kubernetes.io/instance-type";
    public const string Zone = "topology.kubernetes.io/zone";
    public const string CapacityType = "karpenter.sh/capacity-type";
    public const string GpuModel = "node.elotl.co/gpu";

    private const string GpuModelPrefix = "node.elotl.co/gpu-";

    /// <summary>The label that Kip knows under another name, or the name itself; null for a label that says nothing about a machine.</summary>
    public static string? Canonical(string key) => key switch
    {
        Architecture or "beta.kubernetes.io/arch" => Architecture,
        "kubernetes.io/os" or "beta.kubernetes.io/os" => "kubernetes.io/os",
        InstanceType or "beta.kubernetes.io/instance-type" => InstanceType,
        Zone or "failure-domain.beta.kubernetes.io/zone" => Zone,
        "topology.kubernetes.io/region" or "failure-domain.beta.kubernetes.io/region" => "topology.kubernetes.io/region",
        CapacityType => CapacityType,
        "eks.amazonaws.com/capacityType" or "cloud.google.com/gke-spot" or "kubernetes.azure.com/scalesetpriority" => key,
        GpuModel or "cloud.google.com/gke-accelerator" or "nvidia.com/gpu.product" or "karpenter.k8s.aws/instance-gpu-name" => GpuModel,
        _ => key.StartsWith(GpuModelPrefix, StringComparison.Ordinal) || key.StartsWith("cloud.google.com/gke-accelerator-", StringComparison.Ordinal) ? GpuModel : null,
    };

    /// <summary>
    /// The model that a GPU label of a node selector names: its value or, as the Go Kip has it, what follows in the label's own name.
    /// </summary>
    public static string ModelOf(string key, string value) => value.Length > 0 || !key.StartsWith(GpuModelPrefix, StringComparison.Ordinal)
        ? value
        : key[GpuModelPrefix.Length..];

    /// <summary>Whether the label is the same for all offerings of a type.</summary>
    public static bool IsOfType(string key) => key is Architecture or "kubernetes.io/os" or InstanceType or GpuModel or "topology.kubernetes.io/region";

    /// <summary>The value of a (canonical) label on a machine; null where it does not carry the label.</summary>
    public static string? Value(string key, InstanceType type, Offering offering, string region) => key switch
    {
        Architecture => type.Architecture,
        "kubernetes.io/os" => "linux",
        InstanceType => type.Name,
        Zone => offering.Zone.Length > 0 ? offering.Zone : null,
        "topology.kubernetes.io/region" => region,
        CapacityType => Name(offering.CapacityType),
        "eks.amazonaws.com/capacityType" => offering.CapacityType == Drivers.CapacityType.Spot ? "SPOT" : "ON_DEMAND",
        "cloud.google.com/gke-spot" => offering.CapacityType == Drivers.CapacityType.Spot ? "true" : null,
        "kubernetes.azure.com/scalesetpriority" => offering.CapacityType == Drivers.CapacityType.Spot ? "spot" : "regular",
        GpuModel => type.Gpus?.Model,
        _ => null,
    };

    public static string Name(CapacityType capacityType) => capacityType == Drivers.CapacityType.Spot ? "spot" : "on-demand";

    /// <summary>
    /// Whether both names mean one GPU model: clouds and pods write <c>nvidia-tesla-t4</c>, <c>Tesla-T4</c> and <c>T4</c> for the same.
    /// </summary>
    public static bool IsSameModel(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        left = Bare(left);
        right = Bare(right);
        int l = 0, r = 0;
        while (true)
        {
            while (l < left.Length && !char.IsAsciiLetterOrDigit(left[l]))
            {
                l++;
            }

            while (r < right.Length && !char.IsAsciiLetterOrDigit(right[r]))
            {
                r++;
            }

            if (l == left.Length || r == right.Length)
            {
                return l == left.Length && r == right.Length;
            }

            if (char.ToLowerInvariant(left[l++]) != char.ToLowerInvariant(right[r++]))
            {
                return false;
            }
        }
    }

    private static ReadOnlySpan<char> Bare(ReadOnlySpan<char> model)
    {
        foreach (var brand in (ReadOnlySpan<string>)["nvidia", "tesla"])
        {
            model = model.TrimStart("-_ ");
            if (model.StartsWith(brand, StringComparison.OrdinalIgnoreCase))
            {
                model = model[brand.Length..];
            }
        }

        return model;
    }
}
