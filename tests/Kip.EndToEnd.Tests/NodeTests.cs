using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>A cluster with a virtual node: real API server, real kubectl, real containers on local cells.</summary>
public sealed class NodeTests(SharedControlPlane cluster) : NodeStory(cluster), IClassFixture<SharedControlPlane>
{
    public override async Task DisposeAsync()
    {
        // Cells of a node outlive its host.
        await Kip.DoAsync("delete", "cells", "--node", Name);
        await base.DisposeAsync();
    }

    [ControlPlaneFact]
    public async Task Deployment_OnAVirtualNode_IsUsedAsOnAnyNode()
    {
        var host = await StartNodeAsync();
        await KubectlAsync("create", "configmap", "settings", "--from-literal=greeting=first");
        await Plane.ApplyAsync(Deployment(2));

        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");

        Assert.Equal(2, Kip.Instances.Count);
        var pods = (await KubectlAsync("get", "pods", "-o", "jsonpath={.items[*].metadata.name}")).Split(' ');
        var pod = pods[0];

        // Logs, with their options.
        await Wait.UntilAsync("the log", async () => (await KubectlAsync("logs", pod)).Contains("started", StringComparison.Ordinal));
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\S+ started\n$", await KubectlAsync("logs", pod, "--timestamps", "--tail=1"));
        Assert.Equal("star", await KubectlAsync("logs", pod, "--limit-bytes=4"));

        // Commands: output, exit code, input; files there and back.
        Assert.Equal("first\n", await KubectlAsync("exec", pod, "--", "sh", "-c", "echo $GREETING"));
        Assert.Equal(7, (await TryAsync("exec", pod, "--", "sh", "-c", "exit 7")).ExitCode);
        Assert.Equal("typed\n", (await Plane.TryKubectlAsync("typed\n", "-n", Name, "exec", "-i", pod, "--", "cat")).Output);
        var file = Path.Combine(Kip.Folder, "file");
        await File.WriteAllTextAsync(file, "copied");
        await KubectlAsync("cp", file, $"{pod}:/tmp/file");
        Assert.Equal("copied", await KubectlAsync("exec", pod, "--", "cat", "/tmp/file"));

        // The service account's token opens the API.
        Assert.StartsWith("ca.crt\nnamespace\ntoken", await KubectlAsync("exec", pod, "--", "ls", "/var/run/secrets/kubernetes.io/serviceaccount"), StringComparison.Ordinal);

        // A configuration that changes reaches the running pod.
        await Plane.ApplyAsync($"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: {Name}}}\ndata: {{greeting: second}}\n");
        await Wait.UntilAsync("the new configuration", async () => await KubectlAsync("exec", pod, "--", "cat", "/etc/settings/greeting") == "second");

        // What the metrics server reads.
        Assert.Contains(pod, await Plane.KubectlAsync("get", "--raw", $"/api/v1/nodes/{Name}/proxy/stats/summary"), StringComparison.Ordinal);

        await KubectlAsync("scale", "deployment/web", "--replicas=1");
        await Wait.UntilAsync("one cell to be left", () => Kip.Instances.Count == 1);
        Assert.Contains("CellLaunched", await KubectlAsync("get", "events"), StringComparison.Ordinal);

        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task Host_KilledAndStartedAgain_LeavesPodsAlone()
    {
        var first = await StartNodeAsync();
        await Plane.ApplyAsync($"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: {Name}}}\ndata: {{greeting: hello}}\n");
        await Plane.ApplyAsync(Deployment(1));
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        var before = await KubectlAsync("get", "pods", "-o", Identity);

        await first.SignalAsync("KILL");
        await first.EndsAsync();
        var second = await StartNodeAsync();
        var pod = await KubectlAsync("get", "pods", "-o", "jsonpath={.items[*].metadata.name}");

        await Wait.UntilAsync("exec by the new host", async () => (await TryAsync("exec", pod, "--", "true")).ExitCode == 0);
        Assert.Equal(before, await KubectlAsync("get", "pods", "-o", Identity));

        // A drained node is empty, and its cells have ended.
        await Plane.KubectlAsync("drain", Name, "--ignore-daemonsets", "--timeout=60s");
        await Wait.UntilAsync("no cell to be left", () => Kip.Instances.Count == 0);
        await EndAsync(second);
    }

    [ControlPlaneFact]
    public async Task Cell_CutOffAndBack_ItsPodIsUntouchedAndReachedAgain()
    {
        var host = await StartNodeAsync("--verbose");
        await KubectlAsync("create", "configmap", "settings", "--from-literal=greeting=hello");
        await Plane.ApplyAsync(Deployment(1));
        await KubectlAsync("rollout", "status", "deployment/web", "--timeout=120s");
        var before = await KubectlAsync("get", "pods", "-o", Identity);
        var pod = await KubectlAsync("get", "pods", "-o", "jsonpath={.items[*].metadata.name}");
        var link = $"k{Kip.Instances.Single()[2..16]}"; // as the driver names the host's end

        await Tool.RunAsync("ip", "link", "set", "dev", link, "down");
        await host.SaysAsync("connection to the agent lost");
        Assert.Equal(before, await KubectlAsync("get", "pods", "-o", Identity));
        await Tool.RunAsync("ip", "link", "set", "dev", link, "up");

        await Wait.UntilAsync("exec again", async () => (await TryAsync("exec", pod, "--", "true")).ExitCode == 0, () => host.Errors);
        Assert.Equal(before, await KubectlAsync("get", "pods", "-o", Identity));
        Assert.Single(Kip.Instances);
        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task Job_OnAVirtualNode_TellsHowItEnded()
    {
        var host = await StartNodeAsync();
        await Plane.ApplyAsync($$$"""
            apiVersion: batch/v1
            kind: Job
            metadata: {name: job, namespace: "{{{Name}}}" }
            spec:
              backoffLimit: 0
              template:
                spec:
                  restartPolicy: Never
                  nodeSelector: {kubernetes.io/hostname: "{{{Name}}}" }
                  tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
                  containers: [{name: main, image: "busybox:1.35", command: [sh, -c, "echo working; exit 3"]}]
            """);

        await KubectlAsync("wait", "job/job", "--for=condition=Failed", "--timeout=120s");

        Assert.Equal("3", await KubectlAsync("get", "pods", "-o", "jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}"));
        await Wait.UntilAsync("no cell to be left", () => Kip.Instances.Count == 0);
        Assert.Equal("working\n", await KubectlAsync("logs", "job/job")); // the cell is gone, the end of its log is not
        await EndAsync(host);
    }

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
              volumes: [{name: settings, configMap: {name: settings}}]
              containers:
                - name: main
                  image: busybox:1.35
                  command: [sh, -c, "echo started; exec sleep 100000"]
                  env: [{name: GREETING, valueFrom: {configMapKeyRef: {name: settings, key: greeting} } }]
                  volumeMounts: [{name: settings, mountPath: /etc/settings}]
        """;
}
