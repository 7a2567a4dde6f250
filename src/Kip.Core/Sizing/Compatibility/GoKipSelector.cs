using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Pods;

namespace Kip.Sizing.Compatibility;

/// <summary>
/// The Go Kip's own rule for choosing an instance type, with its rounding, its 32-bit arithmetic and its blind spots: what the cell itself
/// takes counts for nothing, spot pods are chosen by on-demand prices, ties go to the first row of the catalog. For those who want the types
/// they had; <see cref="InstanceSelector"/> chooses better.
/// </summary>
public static class GoKipSelector
{
    private const float CreditPrice = 0.05f; // dollars for a vCPU-hour above the baseline
    private const float MemoryUnitGib = 0.25f;

    /// <summary>The request with the type that the Go Kip would have chosen for the pod; null when it would have found none.</summary>
    /// <param name="request">From <see cref="PodRequirements"/>.</param>
    /// <param name="pod">The pod.</param>
    /// <param name="defaultType">For pods that ask for nothing (<c>cells.defaultInstanceType</c>); null for none.</param>
    /// <param name="catalog">What the cloud offers.</param>
    public static CellRequest? Name(CellRequest request, Pod pod, string? defaultType, InstanceCatalog catalog)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(pod);
        var pattern = PodAnnotations.Read(pod.Metadata, out _, out _).InstanceType;
        return Choose(GoKipRequest.Read(pod.Spec), pattern, defaultType, catalog) is { } choice
            // It knew nothing of what else a pod says about its machine, but for the zone, which it left to the subnet.
            ? request with { InstanceType = choice.Type, Rules = [] }
            : null;
    }

    /// <summary>The type it would have chosen.</summary>
    /// <param name="request">What it reads from the pod.</param>
    /// <param name="pattern">Value of <c>pod.elotl.co/instance-type</c>; null when not given. A name is the answer, whatever the pod asks for.</param>
    /// <param name="defaultType">For pods that ask for nothing (<c>cells.defaultInstanceType</c>).</param>
    /// <param name="catalog">What the cloud offers; types for arm64 do not exist for it.</param>
    /// <returns>The name, and whether it would buy processor credits (null: left to the cloud); null when nothing fits.</returns>
    public static (string Type, bool? SustainedCpu)? Choose(GoKipRequest request, string? pattern, string? defaultType, InstanceCatalog catalog)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(catalog);
        if (pattern is not null && !pattern.Contains('*', StringComparison.Ordinal))
        {
            return (pattern, null);
        }

        if (pattern is null && defaultType is not null && request is { Cpu: 0, MemoryGib: 0, Gpus: 0 })
        {
            return (defaultType, null);
        }

        (string Type, bool Sustained, float Price)? best = null;
        foreach (var row in catalog.Types.Where(static type => type.Architecture == "amd64" && !type.Name.StartsWith("t1", StringComparison.Ordinal)).Select(type => Row.Of(type, catalog)).Concat(CustomRows(request, catalog)))
        {
            if (row.MemoryGib >= request.MemoryGib
                && (pattern is null || Glob.IsMatch(pattern, row.Name))
                && HasGpus(row, request)
                && PriceOf(row, request) is var (price, sustained)
                && price > 0
                && (best is null || price < best.Value.Price))
            {
                best = (row.Name, sustained, price);
            }
        }

        return best is { } found ? (found.Type, found.Sustained) : null;
    }

    private static bool HasGpus(Row row, GoKipRequest request) => request.GpuModel.Length == 0
        ? row.Gpus >= request.Gpus
        : row.SupportedGpus.Any(supported => WellKnownLabels.IsSameModel(supported.Model, request.GpuModel) && supported.Count >= request.Gpus);

    private static (float Price, bool Sustained)? PriceOf(Row row, GoKipRequest request)
    {
        if (request.DedicatedCpu)
        {
            // It did not look at how many processors there are.
            return row.IsBurstable ? null : (row.Price, false);
        }

        if (!row.HasCredits || !request.SustainedCpu)
        {
            return (row.IsBurstable ? row.Baseline : row.Cpu) >= request.Cpu ? (row.Price, false) : null;
        }

        return row.Cpu < request.Cpu ? null
            : !row.IsBurstable || request.Cpu <= row.Baseline ? (row.Price, false)
            : (row.Price + ((request.Cpu - row.Baseline) * CreditPrice), true);
    }

    private static IEnumerable<Row> CustomRows(GoKipRequest request, InstanceCatalog catalog)
    {
        foreach (var family in catalog.CustomFamilies.Where(static family => family.SharedMilliCpu is null && family.Architecture == "amd64"))
        {
            if (family.Prices.FirstOrDefault(static price => price.CapacityType == CapacityType.OnDemand) is { } price
                && SizeCustom(request, family.VCpus, family.MinMebibytesPerVCpu / 1024f, family.MaxMebibytesPerVCpu / 1024f) is var (cpus, gibibytes))
            {
                yield return new Row(
                    $"{family.Prefix}-{cpus}-{(int)(gibibytes * 1024)}",
                    cpus,
                    cpus,
                    gibibytes,
                    Attachable(catalog, family.Family).Select(static gpus => gpus.Count).DefaultIfEmpty().Max(),
                    IsBurstable: false,
                    HasCredits: false,
                    (gibibytes * (float)price.PerGibibyteHour) + (cpus * (float)price.PerVCpuHour),
                    [.. Attachable(catalog, family.Family)]);
            }
        }
    }

    /// <summary>Processors and GiB of a custom machine; null when none has so much. Larger counts than the first that fits are not tried.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="counts">The numbers of processors that are allowed, ascending.</param>
    /// <param name="minGibPerCpu">Least memory for each processor, in GiB.</param>
    /// <param name="maxGibPerCpu">Most memory for each processor, in GiB.</param>
    public static (int Cpus, float Gibibytes)? SizeCustom(GoKipRequest request, IReadOnlyList<int> counts, float minGibPerCpu, float maxGibPerCpu)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(counts);
        var memory = RoundUp(request.MemoryGib);
        foreach (var cpus in counts)
        {
            if (cpus >= request.Cpu && memory <= maxGibPerCpu * cpus)
            {
                return (cpus, RoundUp(Math.Max(memory, minGibPerCpu * cpus)));
            }
        }

        return null;
    }

    private static float RoundUp(float gibibytes) => MathF.Ceiling(gibibytes / MemoryUnitGib) * MemoryUnitGib;

    private static IEnumerable<(string Model, int Count)> Attachable(InstanceCatalog catalog, string family) =>
        catalog.GpuAttachments.Where(gpus => gpus.Family == family).Select(static gpus => (gpus.Gpus.Model, gpus.Gpus.Count));

    private sealed record Row(
        string Name, float Cpu, float Baseline, float MemoryGib, int Gpus, bool IsBurstable, bool HasCredits, float Price, IReadOnlyList<(string Model, int Count)> SupportedGpus)
    {
        public static Row Of(InstanceType type, InstanceCatalog catalog)
        {
            List<(string Model, int Count)> gpus = [.. Attachable(catalog, type.Name.Split('-')[0])];
            if (type.Gpus is { } own)
            {
                gpus.Add((own.Model, own.Count));
            }

            return new Row(
                type.Name,
                type.MilliCpu / 1000f,
                (type.BaselineMilliCpu ?? type.MilliCpu) / 1000f,
                type.MemoryBytes / (float)(1L << 30),
                gpus.Select(static supported => supported.Count).DefaultIfEmpty().Max(),
                type.BaselineMilliCpu is not null,
                type.BurstPricePerCpuHour is not null,
                (float)(type.Offerings.Where(static offering => offering.CapacityType == CapacityType.OnDemand).Min(static offering => offering.PricePerHour) ?? 0),
                gpus);
        }
    }
}
