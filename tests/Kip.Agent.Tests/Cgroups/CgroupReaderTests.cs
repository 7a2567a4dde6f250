using Kip.Agent.Cgroups;
using Kip.Tests.Support;

namespace Kip.Agent.Tests.Cgroups;

/// <summary>On directories that look like the kernel's, since a machine has one version only.</summary>
public sealed class CgroupReaderTests : IDisposable
{
    private readonly TemporaryDirectory _root = new();

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData("cpuacct")]
    [InlineData("cpu,cpuacct")]
    public void CpuNanoseconds_OnVersion1_AreThoseOfTheHierarchyThatCounts(string hierarchy)
    {
        Write($"{hierarchy}/kip/pod1/cpuacct.usage", "123\n");

        Assert.Equal(123, Reader().CpuNanoseconds("/kip/pod1"));
        Assert.Null(Reader().CpuNanoseconds("/kip/other"));
    }

    [Fact]
    public void CpuNanoseconds_OnVersion2_AreCountedInMicroseconds()
    {
        Write("cgroup.controllers", "cpu memory\n");
        Write("kip/pod1/cpu.stat", "usage_usec 5\nuser_usec 3\n");

        Assert.Equal(5000, Reader().CpuNanoseconds("/kip/pod1"));
    }

    [Theory]
    [InlineData("", "memory/kip/pod1/memory.", "usage_in_bytes", "limit_in_bytes", "total_inactive_file 10\ninactive_file 99\ntotal_rss 4\n")]
    [InlineData("cpu memory", "kip/pod1/memory.", "current", "max", "inactive_file 10\nanon 4\n")]
    public void Memory_OfEitherVersion_LeavesOutWhatCanBeDropped(string controllers, string prefix, string usage, string limit, string stat)
    {
        if (controllers.Length > 0)
        {
            Write("cgroup.controllers", controllers);
        }

        Write(prefix + usage, "100\n");
        Write(prefix + limit, "150\n");
        Write(prefix + "stat", stat);

        var memory = Reader().Memory("/kip/pod1", DateTimeOffset.UnixEpoch)!;

        Assert.Equal((100, 90, 4, 60), (memory.UsageBytes, memory.WorkingSetBytes, memory.RssBytes, memory.AvailableBytes));
    }

    private CgroupReader Reader() => new(new CgroupHierarchies(_root.Path));

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_root[path])!);
        File.WriteAllText(_root[path], text);
    }
}
