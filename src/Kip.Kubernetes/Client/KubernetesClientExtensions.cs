using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>What is made of the calls of an <see cref="IKubernetesClient"/>.</summary>
public static class KubernetesClientExtensions
{
    /// <summary>An object, or null when there is none.</summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="type">What it is.</param>
    /// <param name="key">Its namespace and name.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="KubernetesApiException">The API server did not answer, or refused.</exception>
    public static async Task<T?> FindAsync<T>(this IKubernetesClient client, ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(client);
        try
        {
            return await client.GetAsync(type, key, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }
}
