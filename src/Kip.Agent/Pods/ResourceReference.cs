using System.Globalization;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>
/// A container's requests and limits as numbers (<c>resourceFieldRef</c>). A limit that is not set is what the cell has, as the kubelet
/// takes what is allocatable on its node.
/// </summary>
internal static class ResourceReference
{
    private const string Limits = "limits.";
    private const string Requests = "requests.";

    public static bool IsKnown(string resource) =>
        (resource.StartsWith(Limits, StringComparison.Ordinal) && IsResource(resource[Limits.Length..]))
        || (resource.StartsWith(Requests, StringComparison.Ordinal) && IsResource(resource[Requests.Length..]));

    /// <summary>The amount in units of the divisor, rounded up.</summary>
    public static string Resolve(ResourceFieldSelector selector, Container container, Cell cell)
    {
        var isLimit = selector.Resource.StartsWith(Limits, StringComparison.Ordinal);
        var name = selector.Resource[(isLimit ? Limits : Requests).Length..];
        var from = isLimit ? container.Resources?.Limits : container.Resources?.Requests;
        var amount = from is not null && from.TryGetValue(name, out var value) ? value : Quantity.Zero;
        if (isLimit && amount.IsZero)
        {
            amount = OfCell(name, cell);
        }

        var divisor = selector.Divisor is { IsZero: false } given ? given : Quantity.FromInt64(1);
        // Processors are counted in thousandths, everything else in whole units.
        var (dividend, by) = name == "cpu"
            ? (amount.MilliValue(), divisor.MilliValue())
            : (amount.ToInt64Ceiling(), divisor.ToInt64Ceiling());
        var (quotient, rest) = Math.DivRem(dividend, by);
        return (quotient + Math.Sign(rest)).ToString(CultureInfo.InvariantCulture);
    }

    private static bool IsResource(string name) =>
        name is "cpu" or "memory" or "ephemeral-storage" || name.StartsWith("hugepages-", StringComparison.Ordinal);

    private static Quantity OfCell(string name, Cell cell) => name switch
    {
        "cpu" => Quantity.FromInt64(cell.Processors),
        "memory" => Quantity.FromBytes(cell.MemoryBytes),
        "ephemeral-storage" => Quantity.FromBytes(cell.DiskBytes()),
        _ => Quantity.Zero,
    };
}
