using Kip.Agent.Pods;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

public sealed class ResourceReferenceTests
{
    private static readonly Cell _cell = new()
    {
        LogDirectory = "/log", CgroupParent = "/kip", HostIP = "10.0.0.1", MemoryBytes = 1L << 30, Processors = 3, VolumeDirectory = Path.GetTempPath(),
    };

    [Theory]
    [InlineData("limits.cpu", null, "2")]
    [InlineData("limits.cpu", "1m", "1500")]
    [InlineData("requests.cpu", "1m", "250")]
    [InlineData("limits.memory", "1Mi", "1024")]
    [InlineData("requests.memory", null, "1000001")]
    [InlineData("requests.memory", "1M", "2")]
    [InlineData("requests.ephemeral-storage", null, "0")]
    [PodField("spec.containers[].env[].valueFrom.resourceFieldRef")]
    public void Resolve_WithADivisor_RoundsUp(string resource, string? divisor, string expected)
    {
        var container = new Container
        {
            Resources = new()
            {
                Limits = new() { ["cpu"] = Quantity.Parse("1500m") },
                Requests = new() { ["cpu"] = Quantity.Parse("250m"), ["memory"] = Quantity.Parse("1000001") },
            },
        };
        var selector = new ResourceFieldSelector { Resource = resource, Divisor = divisor is null ? null : Quantity.Parse(divisor) };

        Assert.Equal(expected, ResourceReference.Resolve(selector, container, _cell));
    }

    [Fact]
    [PodField("spec.containers[].env[].valueFrom.resourceFieldRef")]
    public void Resolve_WithoutALimit_GivesWhatTheCellHas()
    {
        Assert.Equal("3", ResourceReference.Resolve(new() { Resource = "limits.cpu" }, new Container(), _cell));
        Assert.Equal($"{1L << 30}", ResourceReference.Resolve(new() { Resource = "limits.memory" }, new Container(), _cell));
        Assert.True(long.Parse(ResourceReference.Resolve(new() { Resource = "limits.ephemeral-storage" }, new Container(), _cell)) > 0);
    }
}
