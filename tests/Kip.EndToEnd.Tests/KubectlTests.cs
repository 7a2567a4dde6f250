using System.Diagnostics;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>kubectl's commands on real containers, those that <see cref="NodeTests"/> does not use.</summary>
public sealed class KubectlTests(SharedControlPlane cluster) : NodeStory(cluster), IClassFixture<SharedControlPlane>
{
    public override async Task DisposeAsync()
    {
        await Kip.DoAsync("delete", "cells", "--node", Name);
        await base.DisposeAsync();
    }

    [ControlPlaneFact]
    public async Task LogsAttachAndPortForward_OnRealContainers_DoWhatTheyDoOnAnyNode()
    {
        var metrics = $"127.0.0.1:{FreePort()}";
        var host = await StartNodeAsync("--metrics-addr", metrics);
        await ApplyAsync("web", """
            restartPolicy: Always
            volumes: [{name: data, emptyDir: {}}]
            containers:
              - name: main
                image: busybox:1.35
                command: [sh, -c, "if mkdir /data/once 2>/dev/null; then echo first; exit 3; fi; echo second; mkdir /www; echo page > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www"]
                volumeMounts: [{name: data, mountPath: /data}]
            """);
        await ApplyAsync("typed", """
            restartPolicy: Never
            containers: [{name: main, image: "busybox:1.35", stdin: true, stdinOnce: true, command: [cat]}]
            """);
        await KubectlAsync("wait", "pod/web", "pod/typed", "--for=condition=Ready", "--timeout=120s");

        await Wait.UntilAsync("the second run", async () => (await TryAsync("logs", "web")).Output == "second\n", () => host.Errors);
        Assert.Equal("first\n", await KubectlAsync("logs", "web", "--previous"));
        Assert.Equal("second\n", await KubectlAsync("logs", "web", "--since=1h"));
        Assert.Equal("", await KubectlAsync("logs", "web", "--since-time=2100-01-01T00:00:00Z"));
        Assert.Equal("", await KubectlAsync("logs", "web", "--tail=0"));

        // Its input ends, so the container does, and the session with it.
        var attached = (await Plane.TryKubectlAsync("typed\n", "-n", Name, "attach", "-i", "typed")).MustSucceed();
        Assert.Contains("typed\n", attached.Output, StringComparison.Ordinal);
        await Wait.UntilAsync("the pod to have succeeded", async () => await KubectlAsync("get", "pod", "typed", "-o", "jsonpath={.status.phase}") == "Succeeded");

        // The server listens on the pod's loopback only.
        using var forwarding = Process.Start(new ProcessStartInfo(
            "kubectl", ["--kubeconfig", Plane.Kubeconfig, "-n", Name, "port-forward", "pod/web", ":8080"])
        { RedirectStandardOutput = true })!;
        try
        {
            var said = await forwarding.StandardOutput.ReadLineAsync(); // Forwarding from 127.0.0.1:PORT -> 8080
            using var http = new HttpClient();
            Assert.Equal("page\n", await http.GetStringAsync(new Uri($"http://{said!.Split(' ')[2]}/")));
            Assert.Contains($"pod_memory_working_set_bytes{{namespace=\"{Name}\",pod=\"web\"}} ", await http.GetStringAsync(new Uri($"http://{metrics}/metrics/resource")), StringComparison.Ordinal);
        }
        finally
        {
            forwarding.Kill();
            await forwarding.WaitForExitAsync();
        }

        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task Exec_PodThatIsEnding_WorksUntilItHasEnded()
    {
        var host = await StartNodeAsync();
        await ApplyAsync("slow", """
            terminationGracePeriodSeconds: 60
            containers: [{name: main, image: "busybox:1.35", command: [sh, -c, "trap 'echo ending' TERM; while ! [ -e /go ]; do sleep 1; done"]}]
            """);
        await KubectlAsync("wait", "pod/slow", "--for=condition=Ready", "--timeout=120s");
        await KubectlAsync("delete", "pod", "slow", "--wait=false");
        await Wait.UntilAsync("the pod to hear of its end", async () => (await KubectlAsync("logs", "slow")).Contains("ending", StringComparison.Ordinal), () => host.Errors);

        Assert.Equal("inside\n", await KubectlAsync("exec", "slow", "--", "echo", "inside"));
        // A session that lasts is told when the pod goes, and does not hold it up.
        var lasting = TryAsync("exec", "slow", "--", "sh", "-c", "touch /there; exec sleep 1000");
        await Wait.UntilAsync("the session", async () => (await TryAsync("exec", "slow", "--", "ls", "/there")).ExitCode == 0);
        await KubectlAsync("exec", "slow", "--", "touch", "/go");

        await Wait.UntilAsync("the pod to be gone", async () => (await TryAsync("get", "pod", "slow")).ExitCode != 0, () => host.Errors);
        Assert.NotEqual(0, (await lasting).ExitCode);
        Assert.Contains("not found", (await TryAsync("exec", "slow", "--", "true")).Errors, StringComparison.Ordinal);
        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task RolloutRestart_OfADeployment_ReplacesPodAndCell()
    {
        var host = await StartNodeAsync();
        await Plane.ApplyAsync($$$"""
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, namespace: "{{{Name}}}" }
            spec:
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec:
                  terminationGracePeriodSeconds: 1
                  nodeSelector: {kubernetes.io/hostname: "{{{Name}}}" }
                  tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
                  containers: [{name: main, image: "busybox:1.35", command: [sleep, "100000"]}]
            """);
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        var (pod, cell) = (await PodsAsync(), Kip.Instances.Single());

        await KubectlAsync("rollout", "restart", "deployment/web");
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");

        await Wait.UntilAsync("the old cell to end", () => Kip.Instances.Count == 1 && Kip.Instances.Single() != cell, () => host.Errors);
        Assert.NotEqual(pod, await PodsAsync());
        await EndAsync(host);

        Task<string> PodsAsync() => KubectlAsync("get", "pods", "--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}");
    }

    private Task ApplyAsync(string name, string spec) => Plane.ApplyAsync(
        $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {Name}}}\nspec:\n  nodeName: {Name}\n  {spec.Trim().Replace("\n", "\n  ", StringComparison.Ordinal)}\n");
}
