using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

internal static class PodLookup
{
    /// <summary>A pod as the API server has it now, whatever a cache shows; null when it is gone, though another may have its name.</summary>
    public static async Task<Pod?> FindPodAsync(this IKubernetesClient client, ObjectKey key, string uid, CancellationToken cancellationToken) =>
        await client.FindAsync(Resources.Pods, key, cancellationToken).ConfigureAwait(false) is { } pod && pod.Metadata.Uid == uid ? pod : null;
}
