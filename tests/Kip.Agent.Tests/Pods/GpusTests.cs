using Kip.Agent.Pods;
using Kip.Kubernetes;

namespace Kip.Agent.Tests.Pods;

public sealed class GpusTests
{
    [Fact]
    public void Of_EachContainer_IsItsShareAndInitContainersLeaveTheirs()
    {
        var spec = KubernetesJson.DeserializePod("""
            {"spec":{
              "initContainers":[{"name":"early","resources":{"limits":{"nvidia.com/gpu":"3"}}},
                {"name":"sidecar","restartPolicy":"Always","resources":{"limits":{"nvidia.com/gpu":"1"}}},
                {"name":"late","resources":{"limits":{"nvidia.com/gpu":"2"}}}],
              "containers":[{"name":"none"},{"name":"two","resources":{"limits":{"nvidia.com/gpu":"2"}}},{"name":"one","resources":{"limits":{"nvidia.com/gpu":"1"}}}]}}
            """u8).Spec;

        Assert.Equal(
            ["early 0,1,2", "sidecar 0", "late 1,2", "none void", "two 1,2", "one 3"],
            spec.InitContainers!.Concat(spec.Containers).Select(container => $"{container.Name} {Gpus.Of(spec, container)}"));
    }

    [Fact]
    public void Of_APodThatAsksForNone_IsNotSaid()
    {
        var spec = KubernetesJson.DeserializePod("""{"spec":{"containers":[{"name":"a"}]}}"""u8).Spec;

        Assert.Null(Gpus.Of(spec, spec.Containers[0]));
    }
}
