using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>Services as environment variables, in the names of Docker links and of Kubernetes (k8s.io/kubernetes pkg/kubelet/envvars).</summary>
internal static class ServiceEnvironment
{
    /// <summary>The variables, by the names of the services.</summary>
    /// <param name="services">Services of the pod's namespace, and the API server's.</param>
    /// <param name="pod">The pod.</param>
    public static IEnumerable<KeyValuePair<string, string>> Of(IEnumerable<Service> services, Pod pod)
    {
        var seen = new SortedDictionary<string, Service>(StringComparer.Ordinal);
        foreach (var service in services.Where(HasAddress))
        {
            var name = service.Metadata.Name!;
            var isApi = service.Metadata.Namespace == PodReferences.ApiService.Namespace && name == PodReferences.ApiService.Name;
            var isLinked = service.Metadata.Namespace == pod.Metadata.Namespace && pod.Spec.EnableServiceLinks != false;
            if (isLinked || (isApi && !seen.ContainsKey(name)))
            {
                seen[name] = service;
            }
        }

        return seen.SelectMany(static each => Of(each.Key, each.Value.Spec));
    }

    private static bool HasAddress(Service service) =>
        service.Spec.ClusterIP is { Length: > 0 } and not "None" && service.Spec.Ports is { Count: > 0 };

    private static IEnumerable<KeyValuePair<string, string>> Of(string service, ServiceSpec spec)
    {
        var prefix = VariableName(service);
        var address = spec.ClusterIP!;
        yield return new($"{prefix}_SERVICE_HOST", address);
        yield return new($"{prefix}_SERVICE_PORT", Text(spec.Ports![0].Port));
        foreach (var port in spec.Ports.Where(static port => !string.IsNullOrEmpty(port.Name)))
        {
            yield return new($"{prefix}_SERVICE_PORT_{VariableName(port.Name!)}", Text(port.Port));
        }

        for (var i = 0; i < spec.Ports.Count; i++)
        {
            var port = spec.Ports[i];
            var protocol = port.Protocol is { Length: > 0 } given ? given : "TCP";
#pragma warning disable CA1308 // The kubelet writes them so.
            var lower = protocol.ToLowerInvariant();
#pragma warning restore CA1308
            var url = $"{lower}://{HostPort(address, port.Port)}";
            if (i == 0)
            {
                yield return new($"{prefix}_PORT", url);
            }

            var name = $"{prefix}_PORT_{Text(port.Port)}_{protocol.ToUpperInvariant()}";
            yield return new(name, url);
            yield return new($"{name}_PROTO", lower);
            yield return new($"{name}_PORT", Text(port.Port));
            yield return new($"{name}_ADDR", address);
        }
    }

    private static string VariableName(string name) => name.Replace('-', '_').ToUpperInvariant();

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    private static string HostPort(string address, int port) =>
        IPAddress.TryParse(address, out var ip) && ip.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]:{Text(port)}" : $"{address}:{Text(port)}";
}
