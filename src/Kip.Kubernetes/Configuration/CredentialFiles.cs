using System.Net.Security;

namespace Kip.Kubernetes.Configuration;

/// <summary>Files that credentials come from.</summary>
internal static class CredentialFiles
{
    public static ReloadedFile<string> Token(string path, TimeProvider timeProvider) => new(
        [path],
        texts => texts[0].Trim() is { Length: > 0 } token ? token : throw new KubernetesConfigurationException($"{path}: there is no token in it"),
        timeProvider);

    public static ReloadedFile<SslStreamCertificateContext> Certificate(string certificatePath, string keyPath, TimeProvider timeProvider) => new(
        [certificatePath, keyPath],
        texts => Pem.ReadClientCertificate(texts[0], texts[1], certificatePath, keyPath),
        timeProvider);
}
