using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Kip.Kubernetes.Configuration;

/// <summary>The configuration of the pod this process runs in.</summary>
internal static class InCluster
{
    private const string ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
    private const string HostVariable = "KUBERNETES_SERVICE_HOST";
    private const string PortVariable = "KUBERNETES_SERVICE_PORT";

    public static bool IsAvailable =>
        Environment.GetEnvironmentVariable(HostVariable) is { Length: > 0 } && File.Exists(Path.Combine(ServiceAccount, "token"));

    public static Task<KubernetesConfiguration> LoadAsync(TimeProvider timeProvider, CancellationToken cancellationToken) =>
        LoadAsync(
            ServiceAccount,
            Environment.GetEnvironmentVariable(HostVariable),
            Environment.GetEnvironmentVariable(PortVariable),
            timeProvider,
            cancellationToken);

    public static async Task<KubernetesConfiguration> LoadAsync(
        string directory, string? host, string? port, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        if (string.IsNullOrEmpty(host) || !ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            throw new KubernetesConfigurationException($"{HostVariable} and {PortVariable} do not name an API server; is this a pod?");
        }

        var authorities = Path.Combine(directory, "ca.crt");
        var tokenFile = CredentialFiles.Token(Path.Combine(directory, "token"), timeProvider);
        _ = tokenFile.Get();
        try
        {
            _ = Pem.ReadAuthorities(await File.ReadAllTextAsync(authorities, cancellationToken), authorities);
            var namespaceFile = Path.Combine(directory, "namespace");
            var @namespace = File.Exists(namespaceFile) ? (await File.ReadAllTextAsync(namespaceFile, cancellationToken)).Trim() : "default";
            var bracketed = IPAddress.TryParse(host, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{host}]" : host;
            return new KubernetesConfiguration
            {
                Server = new Uri($"https://{bracketed}:{number}"),
                Namespace = @namespace,
                CertificateAuthorityFile = authorities,
                Credentials = new UserCredentials(null, tokenFile, null, null),
                IgnoreEnvironmentProxy = true,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubernetesConfigurationException($"{authorities}: {e.Message}", e);
        }
    }
}
