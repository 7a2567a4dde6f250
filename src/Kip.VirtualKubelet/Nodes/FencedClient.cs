using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Nodes;

/// <summary>A client whose writes wait until no other host can have taken the node. Reads are as they are.</summary>
internal sealed class FencedClient(IKubernetesClient inner, Func<CancellationToken, ValueTask> untilSure) : IKubernetesClient
{
    public Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => inner.GetAsync(type, key, cancellationToken);

    public Task<KubernetesList<T>> ListAsync<T>(ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => inner.ListAsync(type, @namespace, options, cancellationToken);

    public IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(ResourceType<T> type, string @namespace, WatchOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => inner.WatchAsync(type, @namespace, options, cancellationToken);

    public async Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await untilSure(cancellationToken).ConfigureAwait(false);
        return await inner.CreateAsync(type, value, cancellationToken).ConfigureAwait(false);
    }

    public async Task<TPart> CreateSubresourceAsync<T, TPart>(
        ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
        where TPart : class, IKubernetesObject
    {
        await untilSure(cancellationToken).ConfigureAwait(false);
        return await inner.CreateSubresourceAsync(type, key, subresource, value, cancellationToken).ConfigureAwait(false);
    }

    public async Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await untilSure(cancellationToken).ConfigureAwait(false);
        return await inner.ReplaceAsync(type, value, subresource, cancellationToken).ConfigureAwait(false);
    }

    public async Task PatchAsync<T>(ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await untilSure(cancellationToken).ConfigureAwait(false);
        await inner.PatchAsync(type, key, patch, subresource, cancellationToken).ConfigureAwait(false);
    }

    public async Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await untilSure(cancellationToken).ConfigureAwait(false);
        await inner.DeleteAsync(type, key, options, cancellationToken).ConfigureAwait(false);
    }
}
