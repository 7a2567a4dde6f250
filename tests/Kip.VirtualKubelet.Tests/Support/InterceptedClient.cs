using System.Runtime.CompilerServices;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>Decides how calls fare.</summary>
internal interface ICallInterceptor
{
    /// <summary>Makes the call, or not.</summary>
    /// <param name="what">The call, in words.</param>
    /// <param name="isStep">Whether it is one that changes what the test looks at.</param>
    /// <param name="call">Makes it.</param>
    Task<TResult> RunAsync<TResult>(string what, bool isStep, Func<Task<TResult>> call);
}

/// <summary>A client whose calls go through an interceptor; those that change pods are steps. Each change of a watch is a call.</summary>
internal sealed class InterceptedClient(IKubernetesClient target, ICallInterceptor interceptor) : IKubernetesClient
{
    public Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Get", false, () => target.GetAsync(type, key, cancellationToken));

    public Task<KubernetesList<T>> ListAsync<T>(ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "List", false, () => target.ListAsync(type, @namespace, options, cancellationToken));

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ResourceType<T> type, string @namespace, WatchOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await foreach (var change in target.WatchAsync(type, @namespace, options, cancellationToken))
        {
            await PassOnAsync(type, "Watch", false, () => Task.FromResult(true));
            yield return change;
        }
    }

    public Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Create", true, () => target.CreateAsync(type, value, cancellationToken));

    public Task<TPart> CreateSubresourceAsync<T, TPart>(
        ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
        where TPart : class, IKubernetesObject =>
        PassOnAsync(type, "Create", false, () => target.CreateSubresourceAsync(type, key, subresource, value, cancellationToken));

    public Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Replace", true, () => target.ReplaceAsync(type, value, subresource, cancellationToken));

    public Task PatchAsync<T>(ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Patch", true, async () =>
        {
            await target.PatchAsync(type, key, patch, subresource, cancellationToken);
            return true;
        });

    public Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Delete", true, async () =>
        {
            await target.DeleteAsync(type, key, options, cancellationToken);
            return true;
        });

    private Task<TResult> PassOnAsync<T, TResult>(ResourceType<T> type, string verb, bool changes, Func<Task<TResult>> call)
        where T : class, IKubernetesObject => interceptor.RunAsync($"{verb} of {type.Plural}", changes && typeof(T) == typeof(Pod), call);
}
