using Kip.Agent.Cgroups;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;

namespace Kip.Agent.Tests.Cgroups;

/// <summary>On directories that look like the kernel's, since a machine has one version only.</summary>
public sealed class PodCgroupTests : IDisposable
{
    private readonly TemporaryDirectory _root = new();

    public void Dispose() => _root.Dispose();

    [Fact]
    public void Apply_OnVersion1_LimitsTheGroupInEachHierarchy()
    {
        Directory.CreateDirectory(_root["cpu,cpuacct"]);

        Apply(Resources("500m", "64Mi", "250m"));

        Assert.Equal("67108864", Read("memory/kip/pod1/memory.limit_in_bytes"));
        Assert.Equal(("100000", "50000", "256"), (Read("cpu,cpuacct/kip/pod1/cpu.cfs_period_us"), Read("cpu,cpuacct/kip/pod1/cpu.cfs_quota_us"), Read("cpu,cpuacct/kip/pod1/cpu.shares")));
    }

    [Fact]
    public void Apply_OnVersion2_HandsTheControllersDownAndLimitsTheGroup()
    {
        File.WriteAllText(_root["cgroup.controllers"], "cpu memory");

        Apply(Resources("500m", "64Mi", "250m"));

        Assert.Equal(("+cpu +memory", "+cpu +memory"), (Read("cgroup.subtree_control"), Read("kip/cgroup.subtree_control")));
        Assert.Equal(("67108864", "50000 100000", "10"), (Read("kip/pod1/memory.max"), Read("kip/pod1/cpu.max"), Read("kip/pod1/cpu.weight")));
    }

    [Fact]
    public void Apply_WithRequestsOnly_LimitsNothing()
    {
        File.WriteAllText(_root["cgroup.controllers"], "cpu memory");

        Apply(new ResourceRequirements { Requests = new() { ["cpu"] = Quantity.Parse("1"), ["memory"] = Quantity.Parse("1Gi") } });

        Assert.Equal(["cpu.weight"], Directory.GetFiles(_root["kip/pod1"]).Select(Path.GetFileName));
    }

    [Fact]
    public void Apply_WithoutResources_MakesNoGroup()
    {
        Apply(null);

        Assert.Empty(Directory.GetFileSystemEntries(_root.Path));
    }

    [Fact]
    public void Apply_WhatTheKernelRefuses_SaysWhichFileAndValue()
    {
        Directory.CreateDirectory(_root["memory/kip/pod1/memory.limit_in_bytes"]); // a directory in its place cannot be written

        var error = Assert.Throws<IOException>(() => Apply(Resources("1", "64Mi", "1")));

        Assert.StartsWith("67108864 cannot be written to memory.limit_in_bytes of the pod's control group: ", error.Message, StringComparison.Ordinal);
    }

    private static ResourceRequirements Resources(string cpuLimit, string memoryLimit, string cpuRequest) => new()
    {
        Limits = new() { ["cpu"] = Quantity.Parse(cpuLimit), ["memory"] = Quantity.Parse(memoryLimit) },
        Requests = new() { ["cpu"] = Quantity.Parse(cpuRequest) },
    };

    private void Apply(ResourceRequirements? resources) => new PodCgroup(new CgroupHierarchies(_root.Path)).Apply("/kip/pod1", resources);

    private string Read(string path) => File.ReadAllText(_root[path]);
}
