using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>
/// Calls of a Kubernetes API server. Every method throws <see cref="KubernetesApiException"/> when the call fails, and
/// <see cref="OperationCanceledException"/> when it is cancelled. Safe for concurrent use.
/// </summary>
public interface IKubernetesClient
{
    /// <summary>Reads one object.</summary>
    Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;

    /// <summary>Reads all objects that match, page by page; the list is one state of the cluster.</summary>
    /// <param name="type">What to list.</param>
    /// <param name="namespace">The namespace; empty for all of them and for resources of the whole cluster.</param>
    /// <param name="options">Which objects, and how; all of them when null.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task<KubernetesList<T>> ListAsync<T>(
        ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;

    /// <summary>
    /// Tells what happens to the objects that match. Ends when the API server ends the watch, which is no failure: go on
    /// from the last version seen. When the API server no longer knows the version, the exception has
    /// <see cref="KubernetesApiException.IsGone"/>: list again.
    /// </summary>
    /// <param name="type">What to watch.</param>
    /// <param name="namespace">The namespace; empty for all of them and for resources of the whole cluster.</param>
    /// <param name="options">Which objects, and from when; all of them when null.</param>
    /// <param name="cancellationToken">Ends the watch.</param>
    IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ResourceType<T> type, string @namespace, WatchOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;

    /// <summary>Creates an object, in the namespace it names, and returns it as it was stored or answered.</summary>
    Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;

    /// <summary>Creates a part of an object that has a kind of its own, such as a token.</summary>
    Task<TPart> CreateSubresourceAsync<T, TPart>(
        ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
        where TPart : class, IKubernetesObject;

    /// <summary>Writes a whole object; a conflict when it was changed since it was read.</summary>
    /// <param name="type">What to write.</param>
    /// <param name="value">The object, with the resource version it was read with.</param>
    /// <param name="subresource">Such as <c>status</c>; the object itself when null.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;

    /// <summary>Changes an object. How it is then is not read: whoever wants to know watches or gets it.</summary>
    /// <param name="type">What to change.</param>
    /// <param name="key">Where it is.</param>
    /// <param name="patch">The change.</param>
    /// <param name="subresource">Such as <c>status</c>; the object itself when null.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    Task PatchAsync<T>(ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;

    /// <summary>Deletes an object, or begins to.</summary>
    Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject;
}
