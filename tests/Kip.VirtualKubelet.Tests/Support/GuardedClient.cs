using System.Runtime.CompilerServices;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>A client of a host that is killed at a step; of its calls those that change pods are steps.</summary>
internal sealed class GuardedClient(IKubernetesClient target, KillSwitch kill) : IKubernetesClient
{
    public Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "", () => target.GetAsync(type, key, cancellationToken));

    public Task<KubernetesList<T>> ListAsync<T>(ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "", () => target.ListAsync(type, @namespace, options, cancellationToken));

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ResourceType<T> type, string @namespace, WatchOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await foreach (var change in target.WatchAsync(type, @namespace, options, cancellationToken))
        {
            await PassOnAsync(type, "", () => Task.FromResult(true));
            yield return change;
        }
    }

    public Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Create", () => target.CreateAsync(type, value, cancellationToken));

    public Task<TPart> CreateSubresourceAsync<T, TPart>(
        ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
        where TPart : class, IKubernetesObject =>
        PassOnAsync(type, "", () => target.CreateSubresourceAsync(type, key, subresource, value, cancellationToken));

    public Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Replace", () => target.ReplaceAsync(type, value, subresource, cancellationToken));

    public Task PatchAsync<T>(ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Patch", async () =>
        {
            await target.PatchAsync(type, key, patch, subresource, cancellationToken);
            return true;
        });

    public Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject => PassOnAsync(type, "Delete", async () =>
        {
            await target.DeleteAsync(type, key, options, cancellationToken);
            return true;
        });

    private Task<TResult> PassOnAsync<TResult>(object type, string change, Func<Task<TResult>> call) =>
        kill.RunAsync($"{change} of a pod", type is ResourceType<Pod> && change.Length > 0, call);
}
