using System.Globalization;
using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>What containers do, and what kip makes of it.</summary>
public sealed class ContainerTests : KipStory
{
    [KipFact]
    public async Task Run_ContainerExits3_Exits3()
    {
        var run = await Kip.RunPodAsync(Shell("echo out; echo err >&2; exit 3"));

        Assert.True(run.ExitCode == 3, run.ToString());
        Assert.Equal(["err", "out"], run.OutputLines.Order());
        Assert.Contains("kip: container main ended with exit code 3: Error", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_OutputWithoutFinalNewLine_IsPrintedAsItIs()
    {
        var run = await Kip.RunPodAsync(Shell("printf 'a\\n\\nno end'"));

        Assert.Equal((0, "a\n\nno end"), (run.ExitCode, run.Output));
    }

    [KipFact]
    public async Task Run_MuchOutput_ArrivesComplete()
    {
        // The pause: when a container has ended, containerd 1.6 takes two seconds to drain its output and drops the rest, which a busy
        // machine may need longer for.
        var run = await Kip.RunPodAsync(Shell("seq 1 50000; sleep 4"));

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(string.Concat(Enumerable.Range(1, 50000).Select(static i => $"{i}\n")), run.Output);
    }

    [KipFact]
    public async Task Run_InitContainerExits4_Exits4AndAppNeverRuns()
    {
        var run = await Kip.RunPodAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: story}
            spec:
              restartPolicy: Never
              initContainers:
                - {name: first, image: busybox:1.35, command: [sh, -c, exit 4]}
                - {name: second, image: busybox:1.35, command: [echo, second ran]}
              containers:
                - {name: app, image: busybox:1.35, command: [echo, app ran]}
            """);

        Assert.True(run.ExitCode == 4, run.ToString());
        Assert.Equal("", run.Output);
        Assert.Contains("container first ended with exit code 4", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    [PodField("spec.initContainers")]
    public async Task Run_InitContainers_RunOneAfterTheOtherBeforeTheApp()
    {
        var run = await Kip.RunPodAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: story}
            spec:
              restartPolicy: Never
              initContainers:
                - {name: first, image: busybox:1.35, command: [sh, -c, 'sleep 0.3; cat /proc/uptime']}
                - {name: second, image: busybox:1.35, command: [sh, -c, 'cat /proc/uptime; sleep 0.3']}
              containers:
                - {name: app, image: busybox:1.35, command: [cat, /proc/uptime]}
            """);

        Assert.True(run.ExitCode == 0, run.ToString());
        var times = run.OutputLines.Select(static l => l.Split(['[', ']', ' '], StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(static p => p[0], static p => double.Parse(p[1], CultureInfo.InvariantCulture));
        Assert.Equal(["first", "second", "app"], times.OrderBy(static t => t.Value).Select(static t => t.Key));
        Assert.True(times["app"] - times["second"] >= 0.29, run.Output);
    }

    [KipFact]
    public async Task Run_TwoContainers_LogsArePrefixedAndTheFailureCounts()
    {
        var run = await Kip.RunPodAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: story}
            spec:
              restartPolicy: Never
              containers:
                - {name: good, image: busybox:1.35, command: [echo, well]}
                - {name: bad, image: busybox:1.35, command: [sh, -c, 'echo badly; exit 7']}
            """);

        Assert.True(run.ExitCode == 7, run.ToString());
        Assert.Equal(["[bad] badly", "[good] well"], run.OutputLines.Order(StringComparer.Ordinal));
    }

    [KipFact]
    [PodField("spec.initContainers[].restartPolicy")]
    public async Task Run_Sidecar_StartsBeforeTheAppAndEndsAfterIt()
    {
        var run = await Kip.RunPodAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: story}
            spec:
              restartPolicy: Never
              initContainers:
                - name: proxy
                  image: busybox:1.35
                  restartPolicy: Always
                  command: [sh, -c, 'mkdir /www; echo from the proxy >/www/index.html; trap "echo stopped; exit 0" TERM; httpd -f -p 8080 -h /www & wait $!']
              containers:
                - name: app
                  image: busybox:1.35
                  command: [sh, -c, 'until wget -qO- http://127.0.0.1:8080/ 2>/dev/null; do sleep 0.1; done']
            """);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(["[app] from the proxy", "[proxy] stopped"], run.OutputLines);
    }

    [KipFact]
    [PodField("spec.restartPolicy")]
    public async Task Run_OnFailureFailsOnce_IsStartedAgainAndExits0()
    {
        // A container forgets its files when it is started again; its neighbour remembers that there was a first run.
        var run = await Kip.RunPodAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: story}
            spec:
              restartPolicy: OnFailure
              terminationGracePeriodSeconds: 1
              initContainers:
                - {name: memory, image: busybox:1.35, restartPolicy: Always, command: [sh, -c, 'echo again | nc -l -p 9000; sleep 1000']}
              containers:
                - {name: app, image: busybox:1.35, command: [sh, -c, 'nc -w 1 127.0.0.1 9000 </dev/null | grep . && { echo first run; exit 1; }; echo second run']}
            """);

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal(["[app] first run", "[app] second run"], run.OutputLines.Where(static l => l.EndsWith("run", StringComparison.Ordinal)));
    }

    [KipFact]
    public async Task Run_CommandNotFound_SaysTheRuntimesReason()
    {
        var run = await Kip.RunPodAsync("""
            apiVersion: v1
            kind: Pod
            metadata: {name: story}
            spec:
              restartPolicy: Never
              containers:
                - {name: main, image: busybox:1.35, command: [/no/such/program]}
            """);

        Assert.True(run.ExitCode is 127 or 128, run.ToString());
        Assert.Contains("/no/such/program", run.Errors, StringComparison.Ordinal);
        Assert.Contains("no such file or directory", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    [PodField("spec.containers[].resources.limits")]
    public async Task Run_MainProcessExceedsMemoryLimit_SaysOomKilledAndExits137()
    {
        var run = await Kip.RunPodAsync(Shell("exec tail /dev/zero", container: "resources: {limits: {memory: 32Mi}}"));

        Assert.True(run.ExitCode == 137, run.ToString());
        Assert.Contains("exit code 137: OOMKilled", run.Errors, StringComparison.Ordinal);
    }
}
