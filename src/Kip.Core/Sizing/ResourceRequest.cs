using System.Globalization;

namespace Kip.Sizing;

/// <summary>What a cell must have.</summary>
/// <param name="MilliCpu">Processors in thousandths of a vCPU.</param>
/// <param name="MemoryBytes">Memory in bytes.</param>
/// <param name="DiskBytes">Root disk in bytes.</param>
public sealed record ResourceRequest(long MilliCpu, long MemoryBytes, long DiskBytes)
{
    /// <summary>What the cell itself takes before the pod: agent, containerd and shims in memory; images and logs on the disk.</summary>
    public static ResourceRequest CellOverhead { get; } = new(0, 160L << 20, 8L << 30);

    /// <summary>Adds two requests; what is more than a <see cref="long"/> holds stays at its end.</summary>
    public static ResourceRequest operator +(ResourceRequest left, ResourceRequest right) => Add(left, right);

    /// <summary>Adds two requests; see the operator.</summary>
    public static ResourceRequest Add(ResourceRequest left, ResourceRequest right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new(Sum(left.MilliCpu, right.MilliCpu), Sum(left.MemoryBytes, right.MemoryBytes), Sum(left.DiskBytes, right.DiskBytes));
    }

    /// <inheritdoc/>
    public override string ToString() => Describe(MilliCpu, MemoryBytes);

    internal static string Describe(long milliCpu, long memoryBytes) => $"{DescribeCpu(milliCpu)} and {DescribeMemory(memoryBytes)} of memory";

    internal static string DescribeCpu(long milliCpu) => string.Create(CultureInfo.InvariantCulture, $"{milliCpu / 1000m:0.###} vCPU");

    internal static string DescribeMemory(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (decimal)(1L << 30):0.##} GiB");

    private static long Sum(long left, long right) => (long)Int128.Clamp((Int128)left + right, long.MinValue, long.MaxValue);
}
