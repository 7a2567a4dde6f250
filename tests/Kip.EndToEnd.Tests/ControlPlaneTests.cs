using System.Globalization;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>The control plane that other tests build on: what it does when its parts fail, and that nothing of it stays.</summary>
public sealed class ControlPlaneTests
{
    private static readonly string[] NoControllers = [ControlPlane.Scheduler, ControlPlane.ControllerManager];

    [ControlPlaneFact]
    public async Task ApiServer_KilledPausedAndBack_HasKeptThePod()
    {
        await using var plane = await ControlPlane.StartAsync(NoControllers);
        await plane.ApplyAsync("apiVersion: v1\nkind: Pod\nmetadata: {name: kept}\nspec: {containers: [{name: main, image: none}]}\n");

        await plane.KillAsync(ControlPlane.ApiServer);
        var whileGone = await plane.TryKubectlAsync(null, "get", "pod", "kept");
        await plane.StartAsync(ControlPlane.ApiServer);
        var back = await plane.KubectlAsync("get", "pod", "kept", "-o", "name");
        await plane.PauseAsync(ControlPlane.ApiServer);
        var whilePaused = await plane.TryKubectlAsync(null, "get", "pod", "kept", "--request-timeout=1s");
        await plane.ResumeAsync(ControlPlane.ApiServer);

        Assert.NotEqual(0, whileGone.ExitCode);
        Assert.Equal("pod/kept\n", back);
        Assert.NotEqual(0, whilePaused.ExitCode);
        Assert.Equal("pod/kept\n", await plane.KubectlAsync("get", "pod", "kept", "-o", "name"));
    }

    [ControlPlaneFact]
    public async Task Kubeconfig_OfANode_MaySeeItsNodesAndNoSecrets()
    {
        await using var plane = await ControlPlane.StartAsync(NoControllers);

        var kubeconfig = await plane.KubeconfigForAsync("system:node:n1", "system:nodes");

        Assert.Equal("yes\n", await plane.KubectlAsync("--kubeconfig", kubeconfig, "auth", "can-i", "list", "pods", "--all-namespaces"));
        Assert.Contains("Forbidden", (await plane.TryKubectlAsync(null, "--kubeconfig", kubeconfig, "get", "secrets", "--all-namespaces")).Errors, StringComparison.Ordinal);
    }

    [ControlPlaneFact]
    public async Task Holder_Killed_TheProgramsDieAndTheNextRemovesTheRest()
    {
        var killed = await ControlPlane.StartAsync(NoControllers);
        var programs = Processes(killed);
        await Tool.SignalAsync("KILL", killed.Holder);
        await Wait.UntilAsync("etcd and the API server to die with their holder", () => !programs.Any(Runs));
        await killed.DisposeAsync();

        await using (await ControlPlane.StartAsync(NoControllers))
        {
            Assert.False(Directory.Exists(killed.Directory));
            Assert.DoesNotContain($" {killed.Server.Host}/", await Tool.RunAsync("ip", "-o", "address", "show"), StringComparison.Ordinal);
        }
    }

    [ControlPlaneFact]
    public async Task Disposed_NothingIsLeft()
    {
        var plane = await ControlPlane.StartAsync(NoControllers);
        var programs = Processes(plane);

        await plane.DisposeAsync();

        Assert.False(Directory.Exists(plane.Directory));
        Assert.DoesNotContain(programs, Runs);
        Assert.DoesNotContain($" {plane.Server.Host}/", await Tool.RunAsync("ip", "-o", "address", "show"), StringComparison.Ordinal);
    }

    private static List<int> Processes(ControlPlane plane) =>
        [.. new[] { ControlPlane.Etcd, ControlPlane.ApiServer }.Select(p => int.Parse(File.ReadAllText(Path.Combine(plane.Directory, $"{p}.pid")).Split(' ')[0], CultureInfo.InvariantCulture))];

    // A dead process whose parent has not asked for its exit code is dead too.
    private static bool Runs(int process)
    {
        try
        {
            return !File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
