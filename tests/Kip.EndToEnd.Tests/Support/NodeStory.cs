using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>A test with a namespace and a virtual node of its own in a real cluster.</summary>
public abstract class NodeStory(SharedControlPlane cluster) : KipStory
{
    /// <summary>What of the pods must not change when nothing happens to them.</summary>
    internal const string Identity =
        "jsonpath={.items[*].metadata.uid} {.items[*].status.phase} {.items[*].status.containerStatuses[*].containerID} {.items[*].status.containerStatuses[*].restartCount}";

    internal ControlPlane Plane => cluster.Plane;

    /// <summary>All that were started.</summary>
    internal List<KipProcess> Hosts { get; } = [];

    /// <summary>Name of the namespace and of the node.</summary>
    protected string Name { get; } = $"kip-{Guid.NewGuid():N}"[..12];

    /// <summary>By which hosts reach the cluster.</summary>
    private protected virtual string HostKubeconfig => Plane.Kubeconfig;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        if (ControlPlane.Missing() is null)
        {
            await Plane.KubectlAsync("create", "namespace", Name);
            await Wait.UntilAsync("the namespace's service account", async () => (await TryAsync("get", "serviceaccount", "default")).ExitCode == 0);
        }
    }

    public override async Task DisposeAsync()
    {
        if (ControlPlane.Missing() is null)
        {
            await Plane.TryKubectlAsync(null, "delete", "node", Name, "--ignore-not-found");
            await Plane.TryKubectlAsync(null, "delete", "namespace", Name, "--wait=false");
        }

        await base.DisposeAsync();
    }

    internal async Task<KipProcess> StartNodeAsync(params string[] options)
    {
        var host = LaunchNode(options);
        await host.SaysAsync("is ready");
        return host;
    }

    /// <summary>Starts a host without waiting for it.</summary>
    internal KipProcess LaunchNode(params string[] options)
    {
        var command = Kip.Command(["node", "--kubeconfig", HostKubeconfig, "--nodename", Name, .. options]);
        command.Environment["KUBELET_PORT"] = FreePort();
        var host = Kip.Start(command);
        Hosts.Add(host);
        return host;
    }

    // Deletes what is left of the pods, so that their cells end, and then ends the host.
    internal async Task EndAsync(KipProcess host)
    {
        await KubectlAsync("delete", "deployments,jobs,pods", "--all", "--wait=false");
        await Wait.UntilAsync("all cells to end", () => Kip.Instances.Count == 0);
        await host.SignalAsync("TERM");
        Assert.Equal(0, (await host.EndsAsync()).ExitCode);
    }

    internal Task<string> KubectlAsync(params string[] arguments) => Plane.KubectlAsync(["-n", Name, .. arguments]);

    internal Task<ToolRun> TryAsync(params string[] arguments) => Plane.TryKubectlAsync(null, ["-n", Name, .. arguments]);

    protected static string FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture);
    }
}
