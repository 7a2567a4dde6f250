namespace Kip.Kubernetes.Configuration;

/// <summary>Calls as nobody in particular.</summary>
internal sealed class AnonymousCredentials : IKubernetesCredentials
{
    public static AnonymousCredentials Instance { get; } = new();

    public ValueTask<KubernetesCredential> GetAsync(CancellationToken cancellationToken) => new(KubernetesCredential.Anonymous);

    public bool Refuse(KubernetesCredential credential) => false;
}
