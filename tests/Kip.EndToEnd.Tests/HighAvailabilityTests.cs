using System.Diagnostics;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;
using Xunit.Abstractions;

namespace Kip.EndToEnd.Tests;

/// <summary>Two hosts of one node, with what they remember in the cluster: one acts, the other one waits.</summary>
public sealed class HighAvailabilityTests(SharedControlPlane cluster, ITestOutputHelper log) : ServiceAccountStory(cluster), IClassFixture<SharedControlPlane>
{
    private const string Waits = "is looked after by another host";

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        if (ControlPlane.Missing() is null)
        {
            await Plane.KubectlAsync("--kubeconfig", HostKubeconfig, "config", "set-context", "--current", "--namespace=kip");
        }
    }

    public override async Task DisposeAsync()
    {
        if (ControlPlane.Missing() is null && Kip.Instances.Count > 0)
        {
            // After a test that failed: cells whose records are in the cluster are a host's to end.
            await Task.WhenAll(Hosts.Where(static h => !h.HasExited).Select(static h => h.SignalAsync("KILL")));
            await EndAsync(await StartHostAsync());
        }

        await base.DisposeAsync();
    }

    [ControlPlaneFact]
    public async Task Leader_KilledWithPodsRunning_TheOtherHostGoesOnWithThem()
    {
        var leader = await StartHostAsync();
        var standby = LaunchHost();
        await standby.SaysAsync(Waits);
        await Plane.ApplyAsync(Deployment(2));
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        var before = await KubectlAsync("get", "pods", "-o", Identity);
        await ShowCellsAsync();

        await leader.SignalAsync("KILL");
        var took = await TakeOverAsync(standby);
        log.WriteLine($"taken over {took.TotalSeconds:0.0} s after kill -9");

        Assert.Equal(before, await KubectlAsync("get", "pods", "-o", Identity));
        var pods = await PodsAsync();
        await Wait.UntilAsync("exec by the new host", async () => (await TryAsync("exec", pods[0], "--", "true")).ExitCode == 0, () => standby.Errors);
        await KubectlAsync("delete", "pod", pods[0], "--wait=false");
        await Wait.UntilAsync("the deleted pod to be gone", async () => (await TryAsync("get", "pod", pods[0])).ExitCode != 0, () => standby.Errors);
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        await AssertOneCellForEachPodAsync(2);
        await AssertNoSecretInCellsAsync();
        await EndAllAsync(standby);
    }

    [ControlPlaneFact]
    public async Task Leader_ToldToEnd_HandsThePodsOver()
    {
        var leader = await StartHostAsync();
        var standby = LaunchHost();
        await standby.SaysAsync(Waits);
        await Plane.ApplyAsync(Deployment(2));
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        var before = await KubectlAsync("get", "pods", "-o", Identity);

        await leader.SignalAsync("TERM");
        var took = await TakeOverAsync(standby);
        log.WriteLine($"taken over {took.TotalSeconds:0.0} s after SIGTERM");

        Assert.Equal(0, (await leader.EndsAsync()).ExitCode);
        Assert.Equal(before, await KubectlAsync("get", "pods", "-o", Identity));
        var third = LaunchHost();
        await third.SaysAsync(Waits);
        await third.SignalAsync("TERM");
        Assert.Equal(0, (await third.EndsAsync()).ExitCode);
        await EndAsync(standby);
    }

    [ControlPlaneFact]
    public async Task Leader_StoppedAndContinuedAfterPodsCameAndWent_DoublesNothingAndEnds()
    {
        var leader = await StartHostAsync();
        var standby = LaunchHost();
        await standby.SaysAsync(Waits);
        await Plane.ApplyAsync(Deployment(2));
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");

        // What it will read of these pods when it goes on is on its way to it already. (Not while it launches: the local driver's locks would
        // be stopped with it, for all hosts of this machine.)
        await leader.SignalAsync("STOP");
        await KubectlAsync("scale", "deployment/web", "--replicas=4");
        await KubectlAsync("delete", "pod", (await PodsAsync())[0], "--wait=false");
        var took = await TakeOverAsync(standby);
        log.WriteLine($"taken over {took.TotalSeconds:0.0} s after SIGSTOP");
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        await Wait.UntilAsync("four pods", async () => (await PodsAsync()).Length == 4);
        var before = await KubectlAsync("get", "pods", "-o", Identity);

        await leader.SignalAsync("CONT");
        var end = await leader.EndsAsync();

        Assert.True(end.ExitCode == 125 && end.Errors.Contains("has taken the node", StringComparison.Ordinal), end.ToString());
        await AssertOneCellForEachPodAsync(4);
        Assert.Equal(before, await KubectlAsync("get", "pods", "-o", Identity));
        await EndAllAsync(standby);
    }

    private Task<KipProcess> StartHostAsync() => StartNodeAsync("--cell-store", "cluster");

    private KipProcess LaunchHost() => LaunchNode("--cell-store", "cluster");

    private async Task EndAllAsync(KipProcess host)
    {
        await KubectlAsync("delete", "deployments,pods", "--all", "--wait=false");
        await Wait.UntilAsync("all records to be gone", async () => await CellsAsync() is "", () => host.Errors);
        await EndAsync(host);
    }

    private static async Task<TimeSpan> TakeOverAsync(KipProcess standby)
    {
        var clock = Stopwatch.StartNew();
        await standby.SaysAsync("is ready");
        return clock.Elapsed;
    }

    private async Task AssertOneCellForEachPodAsync(int count)
    {
        string[] pods = [], ofCells = [];
        await Wait.UntilAsync(
            $"{count} pods with a cell each",
            async () =>
            {
                pods = [.. (await PodsAsync()).Order(StringComparer.Ordinal)];
                ofCells = [.. (await CellsAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
                return pods.Length == count && pods.SequenceEqual(ofCells) && Kip.Instances.Count == count;
            },
            () => $"pods {string.Join(' ', pods)}; cells of {string.Join(' ', ofCells)}; instances {string.Join(' ', Kip.Instances)}");
        await ShowCellsAsync();
    }

    private async Task AssertNoSecretInCellsAsync()
    {
        var cells = await Plane.KubectlAsync("get", "cells", "-o", "json");
        var userData = Directory.GetFiles(Path.Combine(Kip.State, "local", "cells"), "*", SearchOption.AllDirectories)
            .Where(static f => new FileInfo(f) is { LinkTarget: null, Length: < 100_000 })
            .Select(static f => System.Text.RegularExpressions.Regex.Match(File.ReadAllText(f), """"enrolmentToken\W+([A-Za-z0-9+/=]{20,})""""))
            .Where(static m => m.Success).Select(static m => m.Groups[1].Value).Distinct().ToList();
        Assert.NotEmpty(userData);
        Assert.All(userData, token => Assert.DoesNotContain(token, cells, StringComparison.Ordinal));
    }

    // Names of the pods of this node's cells, a line each.
    private async Task<string> CellsAsync()
    {
        var lines = await Plane.KubectlAsync("get", "cells", "-o", "jsonpath={range .items[*]}{.status.node}/{.status.podName}{\"\\n\"}{end}");
        return string.Concat(lines.Split('\n').Where(l => l.StartsWith(Name + "/", StringComparison.Ordinal)).Select(l => l[(Name.Length + 1)..] + "\n"));
    }

    private async Task ShowCellsAsync() => log.WriteLine(await Plane.KubectlAsync("get", "cells", "-o", "wide"));

    private async Task<string[]> PodsAsync() =>
        (await KubectlAsync("get", "pods", "-o", "jsonpath={.items[*].metadata.name}")).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private string Deployment(int replicas) => $$$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: "{{{Name}}}" }
        spec:
          replicas: {{{replicas}}}
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              terminationGracePeriodSeconds: 2
              nodeSelector: {kubernetes.io/hostname: "{{{Name}}}" }
              tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
              containers: [{name: main, image: "busybox:1.35", command: [sleep, "100000"]}]
        """;
}
