using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Tests.Host;

public sealed class CgroupsTests : IDisposable
{
    private const string Id = "i-00000000000000000";

    private static readonly LocalType Small = new LocalCatalog(64, 1L << 40).Find("local.small");

    private readonly string _root = Directory.CreateTempSubdirectory("kip-cgroup-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Create_Version2Only_LimitsTheCellAndHandsControllersDown()
    {
        // What the kernel would make of each mkdir.
        foreach (var group in new[] { "", "kip", $"kip/{Id}", $"kip/{Id}/system", $"kip/{Id}/pods" })
        {
            Directory.CreateDirectory(Path.Combine(_root, group));
            File.WriteAllText(Path.Combine(_root, group, "cgroup.subtree_control"), "");
        }

        File.WriteAllText(Path.Combine(_root, "cgroup.controllers"), "cpuset cpu io memory hugetlb pids rdma\n");
        var cgroups = new Cgroups([$"30 24 0:26 / {_root} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"]);

        var join = cgroups.Create(Id, Small);

        Assert.Null(cgroups.MissingController());
        Assert.Equal([Path.Combine(_root, "kip", Id, "system")], join);
        Assert.Equal("+cpuset +cpu +io +memory +pids", Read("kip/cgroup.subtree_control"));
        Assert.Equal("+cpuset +cpu +io +memory +pids", Read($"kip/{Id}/pods/cgroup.subtree_control"));
        Assert.Equal("", Read($"kip/{Id}/system/cgroup.subtree_control"));
        Assert.Equal("2147483648", Read($"kip/{Id}/memory.max"));
        Assert.Equal("8192", Read($"kip/{Id}/pids.max"));
        Assert.Equal("100000 100000", Read($"kip/{Id}/pods/cpu.max"));
    }

    [Fact]
    public void MissingController_EmptyVersion2Only_NamesOne()
    {
        var cgroups = new Cgroups([$"30 24 0:26 / {_root} rw - cgroup2 cgroup2 rw", "31 24 0:27 / /tmp rw - tmpfs tmpfs rw"]);

        Assert.Equal("cpu", cgroups.MissingController());
    }

    [RootFact]
    public async Task Create_ThisMachine_LimitsAreInForceAndAllIsRemoved()
    {
        var id = $"i-test{Environment.ProcessId}";
        var cgroups = Cgroups.OfThisMachine();
        try
        {
            var groups = cgroups.Create(id, Small);

            string Find(string inner, params string[] names) => groups
                .SelectMany(group => names.Select(name => Path.Combine(Path.GetDirectoryName(group)!, inner, name)))
                .Where(File.Exists).Select(file => File.ReadAllText(file).Trim()).First();
            Assert.Equal("2147483648", Find("", "memory.limit_in_bytes", "memory.max"));
            Assert.Equal("8192", Find("", "pids.max"));
            Assert.Contains(Find("pods", "cpu.cfs_quota_us", "cpu.max"), new[] { "100000", "100000 100000" });
        }
        finally
        {
            await cgroups.RemoveAsync(id, TimeProvider.System, TestMachine.Limit);
        }

        Assert.DoesNotContain(Directory.GetDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup"), group => Directory.Exists(Path.Combine(group, "kip", id)));
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_root, file));
}
