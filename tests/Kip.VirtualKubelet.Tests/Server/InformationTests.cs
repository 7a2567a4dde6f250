using System.Net;
using System.Text.Json.Nodes;

namespace Kip.VirtualKubelet.Tests;

public sealed class InformationTests
{
    [Fact]
    public async Task Pods_AreListed()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.Add("waiting", "uid-2", "main").Status!.ContainerStatuses![0].State = new() { Waiting = new() };

        var all = JsonNode.Parse(await kubelet.Client().GetStringAsync(new Uri("/pods", UriKind.Relative)))!;
        var running = JsonNode.Parse(await kubelet.Client().GetStringAsync(new Uri("/runningpods/", UriKind.Relative)))!;

        Assert.Equal("PodList", (string)all["kind"]!);
        Assert.Equal(2, all["items"]!.AsArray().Count);
        Assert.Equal("pod", (string)Assert.Single(running["items"]!.AsArray())!["metadata"]!["name"]!);
    }

    [Fact]
    public async Task Summary_HasWhatMetricsServerReads()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.Add("second", "uid-2", "main");

        var summary = JsonNode.Parse(await kubelet.Client().GetStringAsync(new Uri("/stats/summary", UriKind.Relative)))!;

        Assert.Equal("node", (string)summary["node"]!["nodeName"]!);
        Assert.Equal(500_000_000, (long)summary["node"]!["cpu"]!["usageNanoCores"]!);
        Assert.Equal(2000, (long)summary["node"]!["memory"]!["workingSetBytes"]!);
        var pod = summary["pods"]![0]!;
        Assert.Equal(("pod", "default", "uid-1"), ((string)pod["podRef"]!["name"]!, (string)pod["podRef"]!["namespace"]!, (string)pod["podRef"]!["uid"]!));
        Assert.Equal("2023-11-14T22:13:20Z", (string)pod["containers"]![0]!["cpu"]!["time"]!);
        Assert.Equal(11, (long)pod["network"]!["rxBytes"]!);
        Assert.Equal(5, (long)pod["ephemeral-storage"]!["usedBytes"]!);
        Assert.Equal(4, (long)pod["process_stats"]!["process_count"]!);
    }

    [Fact]
    public async Task Summary_CellDoesNotAnswer_IsLeftOut()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.Failure = new(Kip.Agents.AgentErrorKind.Unavailable, "gone");

        var summary = JsonNode.Parse(await kubelet.Client().GetStringAsync(new Uri("/stats/summary", UriKind.Relative)))!;

        Assert.Empty(summary["pods"]!.AsArray());
    }

    [Theory]
    [InlineData("/metrics/resource", "node_cpu_usage_seconds_total 12.5 ")]
    [InlineData("/metrics/resource", "container_cpu_usage_seconds_total{container=\"main\",namespace=\"default\",pod=\"pod\"} 12.5 1700000000000\n")]
    [InlineData("/metrics/resource", "container_start_time_seconds{container=\"main\",namespace=\"default\",pod=\"pod\"} 1700000000\n")]
    [InlineData("/metrics/resource", "pod_memory_working_set_bytes{namespace=\"default\",pod=\"pod\"} 1000 1700000000000\n")]
    [InlineData("/metrics/cadvisor", "container_network_transmit_bytes_total{interface=\"eth0\",namespace=\"default\",pod=\"pod\"} 22 1700000000000\n")]
    [InlineData("/metrics/cadvisor", "container_memory_rss{container=\"main\",id=\"containerd://main\",image=\"\",name=\"main\",namespace=\"default\",pod=\"pod\"} 500 ")]
    [InlineData("/metrics/probes", "# TYPE prober_probe_total counter\n")]
    [InlineData("/metrics", "kubelet_running_containers{container_state=\"running\"} 1\n")]
    public async Task Metrics_HaveTheKubeletsNames(string path, string line)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        Assert.Contains(line, await kubelet.Client().GetStringAsync(new Uri(path, UriKind.Relative)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/metrics", HttpStatusCode.OK)]
    [InlineData("/metrics/resource", HttpStatusCode.OK)]
    [InlineData("/metrics/cadvisor", HttpStatusCode.OK)]
    [InlineData("/stats/summary", HttpStatusCode.OK)]
    [InlineData("/pods", HttpStatusCode.NotFound)]
    [InlineData("/configz", HttpStatusCode.NotFound)]
    [InlineData("/containerLogs/default/pod/main", HttpStatusCode.NotFound)]
    [InlineData("/exec/default/pod/main?command=true&output=1", HttpStatusCode.NotFound)]
    [InlineData("/run/default/pod/main?cmd=true", HttpStatusCode.NotFound)]
    public async Task PlainMetrics_AnybodyAsks_IsToldWhatIsMeasuredAndNothingElse(string path, HttpStatusCode status)
    {
        await using var kubelet = await TestKubelet.StartAsync(static o => o with { PlainMetrics = new IPEndPoint(IPAddress.Loopback, 0) });
        using var client = new HttpClient();
        var address = new Uri($"http://127.0.0.1:{kubelet.PlainMetricsPort}{path}");

        using var answer = await client.GetAsync(address);
        using var posted = await client.PostAsync(address, null);

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(status == HttpStatusCode.OK, (await answer.Content.ReadAsStringAsync()).Contains("pod", StringComparison.Ordinal));
        Assert.True(posted.StatusCode == HttpStatusCode.MethodNotAllowed || posted.StatusCode == status, posted.StatusCode.ToString());
        Assert.Empty(kubelet.Host.Sessions);
    }

    [Fact]
    public async Task PlainMetrics_NotAskedFor_AreServedNowhere()
    {
        await using var kubelet = await TestKubelet.StartAsync();

        Assert.Equal(0, kubelet.PlainMetricsPort);
    }

    [Theory]
    [InlineData("/healthz", "ok")]
    [InlineData("/configz", "\"mode\":\"Webhook\"")]
    public async Task Path_IsServed(string path, string text)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        Assert.Contains(text, await kubelet.Client().GetStringAsync(new Uri(path, UriKind.Relative)), StringComparison.Ordinal);
    }
}
