using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Tests.Client;

/// <summary>
/// An API server in memory, for tests in virtual time: versions, conflicts and watches as the real one has them, and failures on demand.
/// </summary>
internal sealed class FakeKubernetesClient : IKubernetesClient
{
    private readonly List<string> _calls = [];
    private readonly Cluster _cluster;

    public FakeKubernetesClient()
        : this(new Cluster())
    {
    }

    private FakeKubernetesClient(Cluster cluster) => _cluster = cluster;

    /// <summary>Called before each call, with its verb; what it throws or waits for is the call's fate.</summary>
    public Func<string, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Called after each writing call took effect, with its verb; what it throws takes the place of the answer.</summary>
    public Action<string> After { get; set; } = _ => { };

    /// <summary>Verbs of all calls.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_cluster.Lock)
            {
                return [.. _calls];
            }
        }
    }

    public static KubernetesApiException Refusal(int code, string reason, TimeSpan? retryAfter = null) =>
        new($"{code} {reason}", (HttpStatusCode)code, new ApiStatus { Reason = reason, Code = code }, retryAfter);

    /// <summary>Another client of the same cluster, with failures of its own.</summary>
    public FakeKubernetesClient Another() => new(_cluster);

    /// <summary>Ends all watches, with a failure or without.</summary>
    public void EndWatches(KubernetesApiException? failure)
    {
        lock (_cluster.Lock)
        {
            foreach (var watch in _cluster.Watches)
            {
                watch.TryWrite(failure);
            }
        }
    }

    /// <summary>Forgets history: who watches from before must list again.</summary>
    public void Compact()
    {
        lock (_cluster.Lock)
        {
            _cluster.Compacted = _cluster.Version;
        }
    }

    public async Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("get", cancellationToken);
        lock (_cluster.Lock)
        {
            return Read(type, key);
        }
    }

    public async Task<KubernetesList<T>> ListAsync<T>(
        ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("list", cancellationToken);
        lock (_cluster.Lock)
        {
            return new()
            {
                Metadata = { ResourceVersion = $"{_cluster.Version}" },
                Items = [.. _cluster.Objects.Where(pair => IsIn(pair.Key, type)).Select(pair => KubernetesJson.Deserialize(pair.Value, type.Json))],
            };
        }
    }

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ResourceType<T> type, string @namespace, WatchOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("watch", cancellationToken);
        var told = long.Parse(options!.ResourceVersion!, null);
        var ends = Channel.CreateUnbounded<KubernetesApiException?>();
        var signal = Channel.CreateUnbounded<bool>();
        lock (_cluster.Lock)
        {
            if (told < _cluster.Compacted)
            {
                throw Refusal(410, "Expired");
            }

            _cluster.Watches.Add(ends.Writer);
            _cluster.Signals.Add(signal);
            signal.Writer.TryWrite(true);
        }

        while (true)
        {
            var ended = ends.Reader.WaitToReadAsync(cancellationToken).AsTask();
            var changed = signal.Reader.WaitToReadAsync(cancellationToken).AsTask();
            await await Task.WhenAny(ended, changed);
            List<(long Version, WatchEventType Type, string Path, byte[] Json)> news = [];
            bool isEnded;
            KubernetesApiException? failure;
            lock (_cluster.Lock)
            {
                // What happened after the end is not told.
                isEnded = ends.Reader.TryRead(out failure);
                while (signal.Reader.TryRead(out _))
                {
                }

                if (!isEnded)
                {
                    news = [.. _cluster.History.Where(change => change.Version > told && IsIn(change.Path, type))];
                }
            }

            foreach (var change in news)
            {
                told = change.Version;
                yield return new WatchEvent<T>(change.Type, KubernetesJson.Deserialize(change.Json, type.Json));
            }

            if (isEnded)
            {
                if (failure is not null)
                {
                    throw failure;
                }

                yield break;
            }
        }
    }

    public async Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("create", cancellationToken);
        lock (_cluster.Lock)
        {
            if (_cluster.Objects.ContainsKey(PathOf(type, ObjectKey.Of(value))))
            {
                throw Refusal(409, "AlreadyExists");
            }

            var copy = KubernetesJson.Deserialize(KubernetesJson.SerializeToUtf8(value, type.Json), type.Json);
            copy.Metadata.Uid = $"uid-{_cluster.Version}";
            var stored = Store(type, copy, WatchEventType.Added);
            After("create");
            return stored;
        }
    }

    public Task<TPart> CreateSubresourceAsync<T, TPart>(
        ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
        where TPart : class, IKubernetesObject => throw new NotSupportedException("no test needs it");

    public async Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("replace", cancellationToken);
        lock (_cluster.Lock)
        {
            if (value.Metadata.ResourceVersion != Read(type, ObjectKey.Of(value)).Metadata.ResourceVersion)
            {
                throw Refusal(409, "Conflict");
            }

            var stored = Store(type, KubernetesJson.Deserialize(KubernetesJson.SerializeToUtf8(value, type.Json), type.Json), WatchEventType.Modified);
            After("replace");
            return stored;
        }
    }

    public async Task PatchAsync<T>(ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("patch", cancellationToken);
        lock (_cluster.Lock)
        {
            var value = JsonNode.Parse(KubernetesJson.SerializeToUtf8(Read(type, key), type.Json))!.AsObject();
            foreach (var (name, change) in JsonNode.Parse(patch.Body.Span)!.AsObject())
            {
                value[name] = change?.DeepClone();
            }

            Store(type, KubernetesJson.Deserialize(System.Text.Encoding.UTF8.GetBytes(value.ToJsonString()), type.Json), WatchEventType.Modified);
        }
    }

    public async Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        await BeginAsync("delete", cancellationToken);
        lock (_cluster.Lock)
        {
            var there = Read(type, key);
            if (options?.ResourceVersion is { } version && version != there.Metadata.ResourceVersion)
            {
                throw Refusal(409, "Conflict");
            }

            Store(type, there, WatchEventType.Deleted);
        }
    }

    private static string PathOf<T>(ResourceType<T> type, ObjectKey key)
        where T : class, IKubernetesObject => $"{type.Group}/{type.Plural}/{key}";

    private static bool IsIn<T>(string path, ResourceType<T> type)
        where T : class, IKubernetesObject => path.Contains($"/{type.Plural}/", StringComparison.Ordinal);

    private async Task BeginAsync(string verb, CancellationToken cancellationToken)
    {
        lock (_cluster.Lock)
        {
            _calls.Add(verb);
        }

        await Before(verb, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private T Read<T>(ResourceType<T> type, ObjectKey key)
        where T : class, IKubernetesObject =>
        _cluster.Objects.TryGetValue(PathOf(type, key), out var json) ? KubernetesJson.Deserialize(json, type.Json) : throw Refusal(404, "NotFound");

    private T Store<T>(ResourceType<T> type, T value, WatchEventType change)
        where T : class, IKubernetesObject
    {
        value.Metadata.ResourceVersion = $"{++_cluster.Version}";
        var path = PathOf(type, ObjectKey.Of(value));
        var json = KubernetesJson.SerializeToUtf8(value, type.Json);
        if (change == WatchEventType.Deleted)
        {
            _cluster.Objects.Remove(path);
        }
        else
        {
            _cluster.Objects[path] = json;
        }

        _cluster.History.Add((_cluster.Version, change, path, json));
        foreach (var signal in _cluster.Signals)
        {
            signal.Writer.TryWrite(true);
        }

        return KubernetesJson.Deserialize(json, type.Json);
    }

    private sealed class Cluster
    {
        public Lock Lock { get; } = new();

        public SortedDictionary<string, byte[]> Objects { get; } = new(StringComparer.Ordinal);

        public List<(long Version, WatchEventType Type, string Path, byte[] Json)> History { get; } = [];

        public List<ChannelWriter<KubernetesApiException?>> Watches { get; } = [];

        public List<Channel<bool>> Signals { get; } = [];

        public long Version { get; set; } = 100;

        public long Compacted { get; set; }
    }
}
