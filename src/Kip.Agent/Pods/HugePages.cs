using System.Globalization;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Volumes;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>
/// Huge pages of a pod: the machine is the pod's, so the kernel is asked for those that are missing, and gets them back at the pod's end.
/// Format: Documentation/admin-guide/mm/hugetlbpage.rst of the kernel.
/// </summary>
/// <param name="directory">Where the kernel has a directory for each size, such as <c>hugepages-2048kB</c>.</param>
internal sealed class HugePages(string directory)
{
    private const string Resource = "hugepages-";
    private const string Medium = "HugePages";

    /// <summary>Whether an <c>emptyDir</c> of this medium consists of huge pages.</summary>
    public static bool IsMedium(string? medium) => medium == Medium || MediumSize(medium) is not null;

    public static bool IsResource(string name) => name.StartsWith(Resource, StringComparison.Ordinal);

    /// <summary>The page size in bytes that an <c>emptyDir</c> is made of.</summary>
    /// <exception cref="VolumeException">It names none, and the pod asks for none or for several.</exception>
    public static long SizeOf(Pod pod, EmptyDirVolumeSource source) =>
        MediumSize(source.Medium) ?? (Wanted(pod.Spec).Keys.ToList() is [var only]
            ? only
            : throw new VolumeException("medium HugePages asks for containers that limit exactly one size of huge pages"));

    /// <summary>What a container may use of each size that the machine has: where it says nothing, what the pod may.</summary>
    public IEnumerable<HugepageLimit> Limits(Container container, ResourceRequirements? pod)
    {
        var own = AmountsOf(pod).ToDictionary();
        foreach (var (size, bytes) in AmountsOf(container.Resources))
        {
            own[size] = bytes;
        }

        return Sizes().Select(size => new HugepageLimit { PageSize = CgroupName(size), Limit = (ulong)own.GetValueOrDefault(size) });
    }

    /// <summary>Sees to it that the kernel has the pages that the pod asks for.</summary>
    /// <param name="spec">The pod.</param>
    /// <param name="added">How many were added, by size in bytes; those that are added now are counted in.</param>
    /// <exception cref="VolumeException">There are not enough, and the kernel cannot make them.</exception>
    public void Reserve(PodSpec spec, IDictionary<long, long> added)
    {
        foreach (var (size, bytes) in Wanted(spec))
        {
            var wanted = (bytes + size - 1) / size;
            if (!Directory.Exists(DirectoryOf(size)))
            {
                throw new VolumeException($"the cell's kernel has no huge pages of {CgroupName(size)}");
            }

            var missing = wanted - Read(size, "free_hugepages");
            if (missing <= 0)
            {
                continue;
            }

            var before = Read(size, "nr_hugepages");
            Write(size, before + missing);
            added[size] = (added.TryGetValue(size, out var earlier) ? earlier : 0) + Read(size, "nr_hugepages") - before;
            if (Read(size, "free_hugepages") is var free && free < wanted)
            {
                throw new VolumeException($"the cell has {free} free huge pages of {CgroupName(size)}, and the pod asks for {wanted}");
            }
        }
    }

    /// <summary>Gives back what was added.</summary>
    public void Release(IDictionary<long, long> added)
    {
        foreach (var (size, count) in added)
        {
            Write(size, Math.Max(0, Read(size, "nr_hugepages") - count));
        }

        added.Clear();
    }

    /// <summary>Bytes that the pod needs at most at one time, by size.</summary>
    private static Dictionary<long, long> Wanted(PodSpec spec)
    {
        var inits = spec.InitContainers ?? [];
        var together = Sum(spec.Containers.Concat(inits.Where(container => container.RestartPolicy == "Always")));
        foreach (var (size, bytes) in inits.SelectMany(init => AmountsOf(init.Resources)))
        {
            together[size] = Math.Max(together.GetValueOrDefault(size), bytes);
        }

        foreach (var (size, bytes) in AmountsOf(spec.Resources))
        {
            together[size] = bytes;
        }

        return together;
    }

    private static Dictionary<long, long> Sum(IEnumerable<Container> containers) =>
        containers.SelectMany(container => AmountsOf(container.Resources)).GroupBy(each => each.Key).ToDictionary(size => size.Key, size => size.Sum(each => each.Value));

    private static IEnumerable<KeyValuePair<long, long>> AmountsOf(ResourceRequirements? resources) =>
        from limit in resources?.Limits ?? []
        where IsResource(limit.Key) && !limit.Value.IsZero && Quantity.TryParse(limit.Key[Resource.Length..], out _)
        select KeyValuePair.Create(Quantity.Parse(limit.Key[Resource.Length..]).ToInt64Ceiling(), limit.Value.ToInt64Ceiling());

    private static long? MediumSize(string? medium) =>
        medium?.StartsWith($"{Medium}-", StringComparison.Ordinal) == true && Quantity.TryParse(medium[(Medium.Length + 1)..], out var size)
            ? size.ToInt64Ceiling()
            : null;

    /// <summary>As the files of the hugetlb cgroup are named.</summary>
    private static string CgroupName(long size) => size switch
    {
        >= 1 << 30 => $"{size >> 30}GB",
        >= 1 << 20 => $"{size >> 20}MB",
        _ => $"{size >> 10}KB",
    };

    private IEnumerable<long> Sizes() =>
        from path in Directory.Exists(directory) ? Directory.GetDirectories(directory, "hugepages-*kB") : []
        let digits = Path.GetFileName(path)[Resource.Length..^"kB".Length]
        select long.Parse(digits, CultureInfo.InvariantCulture) << 10;

    private string DirectoryOf(long size) => Path.Combine(directory, $"hugepages-{size >> 10}kB");

    private long Read(long size, string file) =>
        long.Parse(File.ReadAllText(Path.Combine(DirectoryOf(size), file)), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);

    private void Write(long size, long count)
    {
        // The kernel takes a number in one write, and makes as many as it can.
        using var file = new FileStream(Path.Combine(DirectoryOf(size), "nr_hugepages"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(System.Text.Encoding.ASCII.GetBytes(count.ToString(CultureInfo.InvariantCulture)));
    }
}
