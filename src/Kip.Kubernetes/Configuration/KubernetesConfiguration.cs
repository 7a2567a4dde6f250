using System.Security.Cryptography.X509Certificates;

namespace Kip.Kubernetes.Configuration;

/// <summary>Where an API server is, how it is recognised, and who calls it.</summary>
public sealed record KubernetesConfiguration
{
    /// <summary>The API server, such as <c>https://10.0.0.1:6443</c>.</summary>
    public required Uri Server { get; init; }

    /// <summary>The namespace to use when none is named.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>Who calls; nobody by default.</summary>
    public IKubernetesCredentials Credentials { get; init; } = AnonymousCredentials.Instance;

    /// <summary>Authorities that the server's certificate must come from; those of the system when null and there is no file.</summary>
    public X509Certificate2Collection? CertificateAuthorities { get; init; }

    /// <summary>A PEM file with these authorities, read again when it changes. Goes before <see cref="CertificateAuthorities"/>.</summary>
    public string? CertificateAuthorityFile { get; init; }

    /// <summary>Accepts any certificate of the server. Only for tests: whoever answers gets the credentials.</summary>
    public bool SkipTlsVerify { get; init; }

    /// <summary>The name that the server's certificate must have; the host of <see cref="Server"/> when null.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>An http, https or socks5 proxy; the one that the environment names when null, except for loopback addresses.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Never takes a proxy from the environment.</summary>
    public bool IgnoreEnvironmentProxy { get; init; }

    /// <summary>Headers of each call, such as <c>Impersonate-User</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>
    /// Finds the configuration as kubectl does: the file given, or the files in KUBECONFIG, or <c>~/.kube/config</c>; where there
    /// is no file, that of the pod this process runs in.
    /// </summary>
    /// <param name="path">A kubeconfig file; the usual places when null.</param>
    /// <param name="context">The context to use; the file's current one when null.</param>
    /// <param name="timeProvider">Tells when tokens and certificates are to be read again.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="KubernetesConfigurationException">There is none, or it cannot be used; the message names file and field.</exception>
    public static async Task<KubernetesConfiguration> LoadAsync(
        string? path, string? context, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        if (KubeConfigFiles.Find(path) is { Count: > 0 } files)
        {
            return await KubeConfigLoader.LoadAsync(files, context, timeProvider, cancellationToken);
        }

        return InCluster.IsAvailable
            ? await InCluster.LoadAsync(timeProvider, cancellationToken)
            : throw new KubernetesConfigurationException(
                "there is no kubeconfig (KUBECONFIG is not set and ~/.kube/config does not exist), and this is no pod of a cluster");
    }

    /// <summary>The configuration of the pod this process runs in. Its token is read again as it rotates.</summary>
    /// <exception cref="KubernetesConfigurationException">This is no pod, or its service account is not mounted.</exception>
    public static Task<KubernetesConfiguration> LoadInClusterAsync(TimeProvider timeProvider, CancellationToken cancellationToken) =>
        InCluster.LoadAsync(timeProvider, cancellationToken);
}
