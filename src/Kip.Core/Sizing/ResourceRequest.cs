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

    /// <summary>Adds two requests.</summary>
    public static ResourceRequest operator +(ResourceRequest left, ResourceRequest right) => Add(left, right);

    /// <summary>Adds two requests.</summary>
    public static ResourceRequest Add(ResourceRequest left, ResourceRequest right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new(left.MilliCpu + right.MilliCpu, left.MemoryBytes + right.MemoryBytes, left.DiskBytes + right.DiskBytes);
    }

    /// <inheritdoc/>
    public override string ToString() => Describe(MilliCpu, MemoryBytes);

    internal static string Describe(long milliCpu, long memoryBytes) => string.Create(
        CultureInfo.InvariantCulture,
        $"{milliCpu / 1000m:0.###} vCPU and {memoryBytes / (decimal)(1L << 30):0.##} GiB of memory");
}
