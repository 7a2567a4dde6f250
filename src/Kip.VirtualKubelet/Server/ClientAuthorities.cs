using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>
/// The authorities whose client certificates the cluster trusts, the API server's own among them, as the API server publishes them for
/// servers such as this one (ConfigMap kube-system/extension-apiserver-authentication). Looked at again from time to time: authorities are
/// rotated.
/// </summary>
internal sealed partial class ClientAuthorities(IKubernetesClient client, TimeProvider time, ILogger logger)
{
    private const string Key = "client-ca-file";
    private static readonly ObjectKey ConfigMap = new("kube-system", "extension-apiserver-authentication");
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    private string _text = "";

    /// <summary>The authorities as last read; none before the first time, so that no certificate counts.</summary>
    public X509Certificate2Collection Current { get; private set; } = [];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await TryReadAsync(cancellationToken).ConfigureAwait(false);
            await Task.Delay(read ? Interval : RetryInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> TryReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var map = await client.GetAsync(Resources.ConfigMaps, ConfigMap, cancellationToken).ConfigureAwait(false);
            var text = map.Data?.GetValueOrDefault(Key) ?? throw new FormatException($"it has no {Key}");
            if (text != _text)
            {
                var authorities = new X509Certificate2Collection();
                authorities.ImportFromPem(text);
                (Current, _text) = (authorities, text);
            }

            return true;
        }
        catch (Exception e) when (e is KubernetesApiException or FormatException or CryptographicException)
        {
            LogFailed(ConfigMap, e.Message);
            return false;
        }
    }

    [LoggerMessage(80, LogLevel.Warning, "The authorities of client certificates cannot be read from {ConfigMap}, so kubectl logs, exec and the like may be refused: {Problem}")]
    private partial void LogFailed(ObjectKey configMap, string problem);
}
