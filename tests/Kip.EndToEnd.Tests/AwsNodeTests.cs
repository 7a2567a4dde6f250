using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>A cluster with a virtual node whose cells are on AWS: real API server, real kubectl, moto's instances with real agents.</summary>
[Collection("AWS")] // one after the other: moto takes seconds of processor time for a catalog
public sealed class AwsNodeTests(SharedControlPlane cluster, MotoServer moto) : NodeStory(cluster), IClassFixture<SharedControlPlane>, IClassFixture<MotoServer>
{
    private MotoMachines? _machines;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        if (MotoControlPlaneFactAttribute.Missing is null)
        {
            _machines = await MotoMachines.StartAsync(moto, Kip);
            await File.WriteAllTextAsync(Kip.ProviderFile, _machines.ProviderConfiguration + "\nkubelet: {labels: {type: virtual-kubelet}}\n");
        }
    }

    public override async Task DisposeAsync()
    {
        if (_machines is not null)
        {
            await _machines.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    [MotoControlPlaneFact]
    public async Task Pod_OnAnAwsNode_IsUsedAsOnAnyNodeAndItsInstanceGoesWithIt()
    {
        var host = await StartNodeAsync();
        await Plane.ApplyAsync($$"""
            apiVersion: v1
            kind: Pod
            metadata: {name: web, namespace: {{Name}}}
            spec:
              nodeName: {{Name}}
              terminationGracePeriodSeconds: 1
              containers:
                - {name: main, image: "busybox:1.35", command: [sh, -c, "echo started; exec sleep 1000"]}
            """);

        await KubectlAsync("wait", "pod/web", "--for=condition=Ready", "--timeout=240s");

        Assert.Equal("running", Assert.Single(await _machines!.InstancesAsync()).Value);
        await Wait.UntilAsync("the log", async () => (await KubectlAsync("logs", "web")).Contains("started", StringComparison.Ordinal));
        Assert.Equal("typed\n", (await Plane.TryKubectlAsync("typed\n", "-n", Name, "exec", "-i", "web", "--", "cat")).Output);
        Assert.Equal(7, (await TryAsync("exec", "web", "--", "sh", "-c", "exit 7")).ExitCode);

        await KubectlAsync("delete", "pod", "web", "--timeout=60s");
        await Wait.UntilAsync("the instance to be terminated", async () => (await _machines.InstancesAsync()).Values.All(static state => state == "terminated"));
        await host.SignalAsync("TERM");
        Assert.Equal(0, (await host.EndsAsync()).ExitCode);
        Assert.Empty(_machines.Problems);
    }
}

/// <summary>A test against a real control plane and moto; says what is missing when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MotoControlPlaneFactAttribute : FactAttribute
{
    public MotoControlPlaneFactAttribute() => Skip = Missing;

    public static string? Missing => BuiltKip.Missing("curl") ?? MotoServer.Missing ?? ControlPlane.Missing();
}
