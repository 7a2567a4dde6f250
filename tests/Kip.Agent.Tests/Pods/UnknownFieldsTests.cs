using Google.Protobuf;
using Kip.Agent.Pods;
using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Kubernetes;

namespace Kip.Agent.Tests.Pods;

public sealed class UnknownFieldsTests
{
    private const string Spec = """
        "spec":{"restartPolicy":"Always","quantum":true,"known":null,"containers":[{"name":"main","image":"app:1","entangled":{"with":"x"},
         "resources":{"limits":{"cpu":"1"},"spin":"up"}}],"volumes":[{"name":"v","emptyDir":{"colour":"red"}}]}
        """;

    [Fact]
    public void Find_InEveryDepth_NamesThem() => Assert.Equal(
        ["spec.quantum", "spec.volumes[0].emptyDir.colour", "spec.containers[0].entangled", "spec.containers[0].resources.spin"],
        UnknownFields.Find(KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes($"{{{Spec}}}")).Spec));

    [Fact]
    public async Task Apply_OfAPodWithFieldsOfTheFuture_RunsItAndSaysOnceWhatHasNoEffect()
    {
        await using var harness = new WorkerHarness();
        var pod = ByteString.CopyFromUtf8(
            $"{{\"metadata\":{{\"name\":\"pod\",\"namespace\":\"default\",\"uid\":\"{WorkerHarness.Uid}\"}},{Spec.Replace("\"volumes\"", "\"none\"", StringComparison.Ordinal)}}}");

        for (var i = 0; i < 2; i++)
        {
            await harness.Worker.ApplyAsync(new ApplyPodRequest { Pod = pod, PodAddress = "10.1.2.3" }, CancellationToken.None);
        }

        await harness.UntilAsync("Running", status => status.Phase == "Running");
        var told = Assert.Single(harness.Events, each => each.Reason == "UnknownField");
        Assert.Equal(
            "this version of Kip does not know spec.quantum, spec.none, spec.containers[0].entangled, spec.containers[0].resources.spin: no effect", told.Message);
    }
}
