using System.Net;
using System.Text;
using Kip.Agent.Runtime;
using Kip.Agent.State;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Pods;

/// <summary>
/// Gives the pod its address: a point-to-point link between cell and pod (CNI plugins <c>ptp</c> and <c>static</c>), and a cell that forwards
/// and answers ARP for the address.
/// </summary>
internal sealed partial class PodNetwork(
    string cniDirectory, ICriRuntime runtime, TimeProvider time, ILogger<PodNetwork> logger, string sysctlRoot = "/proc/sys/net/ipv4")
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Writes the configuration, if it is not there yet, and waits until the runtime uses it.</summary>
    /// <exception cref="ContainerStartException">The address is none, or the runtime's network does not become ready.</exception>
    public async Task PrepareAsync(string podAddress, bool hostPorts, CancellationToken cancellationToken)
    {
        if (podAddress.Length > 0)
        {
            if (!IPAddress.TryParse(podAddress, out var address))
            {
                throw new ContainerStartException("NetworkNotReady", $"'{podAddress}' is not an IP address");
            }

            Forward();
            WriteConfiguration(ConfList(address, hostPorts));
        }

        var started = time.GetTimestamp();
        while (await Trouble(cancellationToken) is { } trouble)
        {
            if (time.GetElapsedTime(started) > ReadyTimeout)
            {
                throw new ContainerStartException("NetworkNotReady", $"network is not ready: {trouble}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), time, cancellationToken);
        }
    }

    /// <summary>
    /// The pod's routes must be: the gateway on the link, everything else through it. <c>ptp</c> makes exactly these from the prefix that the
    /// address belongs to, so the prefix is the whole Internet; it insists on deleting a route of that prefix first, which the entry under
    /// <c>routes</c> provides. The gateway is an address that lives on this one link only.
    /// </summary>
    internal static string ConfList(IPAddress address, bool hostPorts)
    {
        var portMap = hostPorts ? """,{"type":"portmap","capabilities":{"portMappings":true},"snat":true}""" : "";
        return $$$"""
            {"cniVersion":"0.4.0","name":"kip","plugins":[{"type":"ptp","ipMasq":false,"ipam":{"type":"static","addresses":[{"address":"{{{address}}}/0","gateway":"169.254.1.1"}],"routes":[{"dst":"0.0.0.0/0","gw":"0.0.0.0"}]}}{{{portMap}}}]}

            """;
    }

    private void WriteConfiguration(string text)
    {
        Directory.CreateDirectory(cniDirectory);
        var path = Path.Combine(cniDirectory, "10-kip.conflist");
        if (!File.Exists(path) || File.ReadAllText(path) != text)
        {
            AtomicFile.Write(path, Encoding.UTF8.GetBytes(text), AtomicFile.Public);
        }
    }

    private void Forward()
    {
        Set("ip_forward", "1");
        Set("conf/all/proxy_arp", "1");
        // The kernel answers for others only after a random delay of up to 0.8 s unless told otherwise, link by link.
        var neighbours = Path.Combine(sysctlRoot, "neigh");
        foreach (var link in Directory.Exists(neighbours) ? Directory.GetDirectories(neighbours) : [])
        {
            Set(Path.Combine("neigh", Path.GetFileName(link), "proxy_delay"), "0");
        }
    }

    private void Set(string name, string value)
    {
        try
        {
            File.WriteAllText(Path.Combine(sysctlRoot, name), value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            NotSet(e, name);
        }
    }

    private async Task<string?> Trouble(CancellationToken cancellationToken)
    {
        var condition = (await runtime.StatusAsync(cancellationToken)).Conditions.FirstOrDefault(each => each.Type == "NetworkReady");
        return condition is null ? "the runtime says nothing about its network"
            : condition.Status ? null
            : condition.Message;
    }

    [LoggerMessage(1, LogLevel.Error, "Cannot set net.ipv4 {Name}: the pod's address may not be reachable")]
    private partial void NotSet(Exception exception, string name);
}
