using Kip.Kubernetes.Client;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>
/// Objects by the API server's watches: one for each object that is followed, narrowed to it by a field selector, and shared by all pods that
/// name it. So the node needs no right to see other secrets, and nothing is sent that no pod uses.
/// </summary>
internal sealed class WatchedObjects(IKubernetesClient client, TimeProvider time, Random random, ILogger<WatchedObjects> logger)
    : IObjectSource, IAsyncDisposable
{
    /// <summary>How long a first list may take before the API server is asked directly, which says what is wrong.</summary>
    private static readonly TimeSpan SyncPatience = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<ObjectId, Followed> _followed = [];
    private readonly HashSet<Task> _ending = [];

    public event Action<ObjectId>? Changed;

    /// <summary>How many watches there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _followed.Count;
            }
        }
    }

    public void Follow(ObjectId id)
    {
        lock (_lock)
        {
            if (_followed.TryGetValue(id, out var followed))
            {
                followed.Users++;
                return;
            }

            _followed[id] = id.Kind switch
            {
                ObjectKind.ConfigMap => Begin(id, Resources.ConfigMaps),
                ObjectKind.Secret => Begin(id, Resources.Secrets),
                ObjectKind.ServiceAccount => Begin(id, Resources.ServiceAccounts),
                ObjectKind.PersistentVolumeClaim => Begin(id, Resources.PersistentVolumeClaims),
                ObjectKind.PersistentVolume => Begin(id, Resources.PersistentVolumes),
                ObjectKind.RuntimeClass => Begin(id, Resources.RuntimeClasses),
                _ => Begin(id, Resources.Services),
            };
        }
    }

    public void Release(ObjectId id)
    {
        lock (_lock)
        {
            if (_followed.TryGetValue(id, out var followed) && --followed.Users == 0)
            {
                _followed.Remove(id);
                var ending = EndAsync(followed);
                _ending.Add(ending);
                _ending.RemoveWhere(static task => task.IsCompleted);
            }
        }
    }

    public async ValueTask<IReadOnlyList<IKubernetesObject>> ReadAsync(ObjectId id, CancellationToken cancellationToken)
    {
        Followed followed;
        lock (_lock)
        {
            followed = _followed.TryGetValue(id, out var found) ? found : throw new InvalidOperationException($"{id} is not followed");
        }

        var listedNow = !followed.Synced.IsCompleted;
        if (listedNow)
        {
            try
            {
                await followed.Synced.WaitAsync(SyncPatience, time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return await followed.Ask(cancellationToken).ConfigureAwait(false);
            }
        }

        var objects = followed.Read();
        // Made a moment ago, by whoever made the pod, it may not be known here yet.
        return objects.Count > 0 || listedNow || id.Name.Length == 0 ? objects : await followed.Ask(cancellationToken).ConfigureAwait(false);
    }

    public async Task<TokenRequestStatus> CreateTokenAsync(
        ObjectKey serviceAccount, TokenRequestSpec spec, CancellationToken cancellationToken)
    {
        var answer = await client.CreateSubresourceAsync(
            Resources.ServiceAccounts, serviceAccount, Resources.Token, new TokenRequest { Spec = spec }, cancellationToken).ConfigureAwait(false);
        return answer.Status is { Token.Length: > 0 } status
            ? status
            : throw new KubernetesApiException($"the API server gave no token for service account {serviceAccount}", inner: null);
    }

    public async ValueTask DisposeAsync()
    {
        List<Task> ending;
        lock (_lock)
        {
            ending = [.. _ending, .. _followed.Values.Select(EndAsync)];
            _followed.Clear();
        }

        await Task.WhenAll(ending).ConfigureAwait(false);
    }

    private static async Task EndAsync(Followed followed)
    {
        await followed.Lifetime.CancelAsync().ConfigureAwait(false);
        await followed.Running.ConfigureAwait(false);
        followed.Lifetime.Dispose();
    }

    private Followed Begin<T>(ObjectId id, ResourceType<T> type)
        where T : class, IKubernetesObject
    {
        var options = new InformerOptions<T>
        {
            Namespace = id.Namespace, FieldSelector = id.Name.Length > 0 ? $"metadata.name={id.Name}" : null,
        };
        var informer = new Informer<T>(client, type, options, time, random, logger);
        informer.Subscribe(_ =>
        {
            // What the first list brings is no change.
            if (informer.HasSynced)
            {
                Changed?.Invoke(id);
            }
        });
        var lifetime = new CancellationTokenSource();
        return new Followed(
            lifetime,
            informer.RunAsync(lifetime.Token),
            informer.WaitForSyncAsync(lifetime.Token),
            informer.List,
            async cancellationToken =>
            {
                try
                {
                    return id.Name.Length > 0
                        ? [await client.GetAsync(type, new ObjectKey(id.Namespace, id.Name), cancellationToken).ConfigureAwait(false)]
                        : (await client.ListAsync(type, id.Namespace, null, cancellationToken).ConfigureAwait(false)).Items;
                }
                catch (KubernetesApiException e) when (e.IsNotFound)
                {
                    return [];
                }
            });
    }

    /// <summary>An object with its watch.</summary>
    private sealed record Followed(
        CancellationTokenSource Lifetime,
        Task Running,
        Task Synced,
        Func<IReadOnlyList<IKubernetesObject>> Read,
        Func<CancellationToken, Task<IReadOnlyList<IKubernetesObject>>> Ask)
    {
        public int Users { get; set; } = 1;
    }
}
