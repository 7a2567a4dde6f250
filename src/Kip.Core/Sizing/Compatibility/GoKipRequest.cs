using System.Globalization;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Sizing.Compatibility;

/// <summary>
/// What the Go Kip reads from a pod: of each container the limit, or else the request, rounded to hundredths; init containers, overhead
/// and everything but processors, memory and GPUs count for nothing.
/// </summary>
/// <param name="Cpu">Processors.</param>
/// <param name="MemoryGib">Memory in GiB.</param>
/// <param name="Gpus">How many GPUs, of any maker.</param>
/// <param name="GpuModel">Their model; empty for any.</param>
/// <param name="SustainedCpu">Whether processor credits may be bought for a pod that needs more than a type's baseline.</param>
/// <param name="DedicatedCpu">Whether types with processor credits are out of the question.</param>
public sealed record GoKipRequest(float Cpu, float MemoryGib, int Gpus, string GpuModel, bool SustainedCpu = true, bool DedicatedCpu = false)
{
    private const string GpuResource = "nvidia.com/gpu";

    /// <summary>Reads a pod.</summary>
    public static GoKipRequest Read(PodSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        var (cpu, memory, gpus) = (Quantity.Zero, Quantity.Zero, 0L);
        foreach (var container in spec.Containers)
        {
            cpu += Amount(container.Resources, "cpu");
            memory += Amount(container.Resources, "memory");
            gpus += container.Resources?.Limits is { } limits && limits.TryGetValue(GpuResource, out var count) ? count.ToInt64Ceiling() : 0;
        }

        return new GoKipRequest(
            Hundredths(cpu.MilliValue() / 1000.0),
            Hundredths(memory.ToInt64Ceiling() / (double)(1L << 30)),
            (int)Math.Min(gpus, int.MaxValue),
            gpus > 0 ? Model(spec.NodeSelector) : "");
    }

    private static Quantity Amount(ResourceRequirements? resources, string name) =>
        resources?.Limits is { } limits && limits.TryGetValue(name, out var limit) && limit.Sign > 0 ? limit
        : resources?.Requests is { } requests && requests.TryGetValue(name, out var request) ? request
        : Quantity.Zero;

    // It wrote amounts as text with two decimals and read them again.
    private static float Hundredths(double amount) => float.Parse(amount.ToString("F2", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    // Of several matching selectors it took any; here it is the first by name.
    private static string Model(Dictionary<string, string>? selector)
    {
        foreach (var prefix in (string[])["node.elotl.co/gpu-", "cloud.google.com/gke-accelerator"])
        {
            if ((selector ?? []).OrderBy(static entry => entry.Key, StringComparer.Ordinal).FirstOrDefault(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal)) is { Key: { } key, Value: var value })
            {
                return (value.Length > 0 ? value : key[prefix.Length..]).ToLowerInvariant();
            }
        }

        return "";
    }
}
