using System.Text;
using System.Text.Json;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Tests;

public sealed class KubernetesJsonTests
{
    [Fact]
    public void Serialize_EmptyPod_HasOnlyWhatTheApiAlwaysHas() =>
        Assert.Equal("""{"metadata":{},"spec":{"containers":[]}}""", Text(KubernetesJson.SerializeToUtf8(new Pod())));

    [Fact]
    public void Deserialize_UnknownFields_SurviveAtEveryLevel()
    {
        const string json =
            """{"apiVersion":"v1","metadata":{"name":"x","m":null},"spec":{"containers":[{"name":"c","new":{"a":[1,2.50]}}],"s":true},"p":"q"}""";
        Assert.Equal(json, Text(KubernetesJson.SerializeToUtf8(KubernetesJson.DeserializePod(Bytes(json)))));
    }

    [Fact]
    public void Deserialize_NullsWhereTheApiHasValues_ReadAsEmpty()
    {
        var pod = KubernetesJson.DeserializePod(Bytes("""{"metadata":null,"spec":{"containers":null,"volumes":null}}"""));
        Assert.NotNull(pod.Metadata);
        Assert.Empty(pod.Spec.Containers);
        Assert.Null(pod.Spec.Volumes);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"spec":{"containers":{}}}""")]
    [InlineData("""{"spec":{"priority":"1"}}""")]
    public void Deserialize_NoPod_Throws(string json) =>
        Assert.Throws<JsonException>(() => KubernetesJson.DeserializePod(Bytes(json)));

    [Theory]
    [InlineData("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z")]
    [InlineData("2026-11-22T12:30:00+02:30", "2026-11-22T10:00:00Z")]
    [InlineData("2026-11-22T10:00:00.987654321Z", "2026-11-22T10:00:00Z")]
    [InlineData("2026-11-22T10:00:00.5-01:00", "2026-11-22T11:00:00Z")]
    public void Time_Rfc3339_IsWrittenInUtcAndWholeSeconds(string read, string written)
    {
        var @event = KubernetesJson.DeserializeEvent(Bytes($$"""{"lastTimestamp":"{{read}}"}"""));
        Assert.Contains($"\"lastTimestamp\":\"{written}\"", Text(KubernetesJson.SerializeToUtf8(@event)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"2026-11-22T10:00:00\"")]
    [InlineData("\"2026-11-22\"")]
    [InlineData("\"2026-11-22T10:00:00.5\"")]
    [InlineData("\"2026-13-22T10:00:00Z\"")]
    [InlineData("\"\"")]
    [InlineData("5")]
    public void Time_NotRfc3339_Throws(string json) =>
        Assert.Throws<JsonException>(() => KubernetesJson.DeserializeEvent(Bytes($$"""{"lastTimestamp":{{json}}}""")));

    [Fact]
    public void Status_ContainerStates_AreWrittenAsTheApiHasThem()
    {
        var status = new PodStatus
        {
            Phase = PodPhase.Running,
            PodIP = "10.0.0.1",
            PodIPs = [new PodIP { Ip = "10.0.0.1" }],
            ContainerStatuses =
            [
                new ContainerStatus
                {
                    Name = "c",
                    State = new ContainerState { Running = new ContainerStateRunning { StartedAt = DateTimeOffset.UnixEpoch } },
                    LastState = new ContainerState { Terminated = new ContainerStateTerminated { ExitCode = 0, Reason = "Completed" } },
                },
            ],
        };
        Assert.Equal(
            """
            {"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],"containerStatuses":[{"name":"c",
            "state":{"running":{"startedAt":"1970-01-01T00:00:00Z"}},
            "lastState":{"terminated":{"exitCode":0,"reason":"Completed"}},
            "ready":false,"restartCount":0,"image":"","imageID":""}]}
            """.ReplaceLineEndings(""),
            Text(KubernetesJson.SerializeToUtf8(status)));
    }

    [Fact]
    public void Clone_Pod_SharesNothing()
    {
        var pod = new Pod { Metadata = { Labels = new() { ["a"] = "b" } } };
        var copy = KubernetesJson.Clone(pod);
        copy.Metadata.Labels!["a"] = "c";
        Assert.Equal("b", pod.Metadata.Labels["a"]);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);
}
