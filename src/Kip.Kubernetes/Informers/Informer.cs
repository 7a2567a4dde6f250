using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Kubernetes.Informers;

/// <summary>
/// Keeps a copy of the objects that match up to date, by a list and then a watch, and tells of changes. Goes on by itself after
/// whatever happens to the API server: from where the watch ended if it can, else by a new list, whose differences are told as
/// changes. The objects are shared: do not change them.
/// </summary>
public sealed partial class Informer<T>
    where T : class, IKubernetesObject
{
    private static readonly TimeSpan ShortWatch = TimeSpan.FromSeconds(1);

    private readonly IKubernetesClient _client;
    private readonly ResourceType<T> _type;
    private readonly InformerOptions<T> _options;
    private readonly TimeProvider _timeProvider;
    private readonly Random _random;
    private readonly ILogger _log;
    private readonly ObjectCache<T> _cache;
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Orders changes against subscriptions; never held while waiting.
    private readonly Lock _lock = new();
    private readonly List<Action<ObjectChange<T>>> _handlers = [];
    private string? _version;
    private int _failures;

    /// <summary>Makes an informer, which does nothing before <see cref="RunAsync"/>.</summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="type">What to know.</param>
    /// <param name="options">Which objects, and how; all of them when null.</param>
    /// <param name="timeProvider">Measures pauses.</param>
    /// <param name="random">Spreads pauses.</param>
    /// <param name="log">Gets failures.</param>
    public Informer(
        IKubernetesClient client, ResourceType<T> type, InformerOptions<T>? options, TimeProvider timeProvider, Random random, ILogger log)
    {
        _client = client;
        _type = type;
        _options = options ?? new InformerOptions<T>();
        _timeProvider = timeProvider;
        _random = random;
        _log = log;
        _cache = new ObjectCache<T>(_options.Indexes);
    }

    /// <summary>Whether all objects have been listed once.</summary>
    public bool HasSynced => _synced.Task.IsCompletedSuccessfully;

    /// <summary>Waits until all objects have been listed once, and their addition has been told.</summary>
    public Task WaitForSyncAsync(CancellationToken cancellationToken) => _synced.Task.WaitAsync(cancellationToken);

    /// <summary>An object; null when there is none.</summary>
    public T? Get(ObjectKey key) => _cache.Get(key);

    /// <summary>All objects, in no order.</summary>
    public IReadOnlyList<T> List() => _cache.List();

    /// <summary>The objects that have a value in an index of <see cref="InformerOptions{T}.Indexes"/>.</summary>
    /// <exception cref="ArgumentException">There is no such index.</exception>
    public IReadOnlyList<T> ByIndex(string index, string value) => _cache.ByIndex(index, value);

    /// <summary>
    /// Tells a handler of every change from now on, in order and one at a time, after telling it of all objects there are as added.
    /// The cache holds the new state when the handler is called. The handler must not block: the informer waits for it.
    /// </summary>
    public void Subscribe(Action<ObjectChange<T>> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        lock (_lock)
        {
            foreach (var value in _cache.List())
            {
                Tell(handler, new ObjectChange<T>(null, value));
            }

            _handlers.Add(handler);
        }
    }

    /// <summary>Keeps the copy up to date until cancelled. To be called once.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    if (_version is null)
                    {
                        await ListAsync(cancellationToken);
                    }

                    await WatchAsync(cancellationToken);
                }
                catch (KubernetesApiException e) when (e.IsGone)
                {
                    LogGone(_type.Plural, _version);
                    _version = null;
                    await PauseAsync(cancellationToken);
                }
                catch (KubernetesApiException e)
                {
                    var pause = PauseAsync(cancellationToken, e.RetryAfter);
                    LogFailure(_type.Plural, e.Message, _failures);
                    await pause;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The way this ends.
        }
    }

    private async Task ListAsync(CancellationToken cancellationToken)
    {
        var list = await _client.ListAsync(
            _type,
            _options.Namespace,
            new ListOptions { LabelSelector = _options.LabelSelector, FieldSelector = _options.FieldSelector },
            cancellationToken);
        var gone = _cache.List().Select(ObjectKey.Of).ToHashSet();
        foreach (var item in list.Items)
        {
            gone.Remove(ObjectKey.Of(item));
            Set(item);
        }

        foreach (var key in gone)
        {
            Remove(key, null);
        }

        _version = list.Metadata.ResourceVersion;
        _synced.TrySetResult();
    }

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        var options = new WatchOptions
        {
            LabelSelector = _options.LabelSelector,
            FieldSelector = _options.FieldSelector,
            ResourceVersion = _version,
            Timeout = _options.WatchTimeout * (1 + _random.NextDouble()),
        };
        var began = _timeProvider.GetTimestamp();
        var any = false;
        await foreach (var (type, value) in _client.WatchAsync(_type, _options.Namespace, options, cancellationToken))
        {
            any = true;
            _failures = 0;
            switch (type)
            {
                case WatchEventType.Added or WatchEventType.Modified:
                    Set(value);
                    break;
                case WatchEventType.Deleted:
                    Remove(ObjectKey.Of(value), value);
                    break;
                default:
                    break;
            }

            _version = value.Metadata.ResourceVersion ?? _version;
        }

        if (any || _timeProvider.GetElapsedTime(began) > ShortWatch)
        {
            _failures = 0;
        }
        else
        {
            // An API server that ends watches at once would otherwise be asked without a pause.
            await PauseAsync(cancellationToken);
        }
    }

    private void Set(T value)
    {
        _type.Stamp(value);
        lock (_lock)
        {
            var old = _cache.Set(ObjectKey.Of(value), value);
            if (old is not null && old.Metadata.Uid != value.Metadata.Uid)
            {
                // Deleted and made anew while nobody looked: another object, not an update.
                TellAll(old, null);
                TellAll(null, value);
            }
            else if (old is null || old.Metadata.ResourceVersion != value.Metadata.ResourceVersion)
            {
                TellAll(old, value);
            }
        }
    }

    private void Remove(ObjectKey key, T? last)
    {
        lock (_lock)
        {
            if (_cache.Remove(key) is { } old)
            {
                TellAll(last ?? old, null);
            }
        }
    }

    private void TellAll(T? old, T? value)
    {
        foreach (var handler in _handlers)
        {
            Tell(handler, new ObjectChange<T>(old, value));
        }
    }

    private void Tell(Action<ObjectChange<T>> handler, ObjectChange<T> change)
    {
        try
        {
            handler(change);
        }
#pragma warning disable CA1031 // One handler's fault must not keep the others, or the cache, from going on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogHandlerFailed(e, _type.Plural, change.Key);
        }
    }

    private Task PauseAsync(CancellationToken cancellationToken, TimeSpan? atLeast = null)
    {
        var pause = _options.FirstPause * Math.Pow(2, Math.Min(_failures++, 30));
        pause = pause < _options.LongestPause ? pause : _options.LongestPause;
        pause *= 1 - (0.5 * _random.NextDouble());
        return Task.Delay(atLeast > pause ? atLeast.Value : pause, _timeProvider, cancellationToken);
    }

    [LoggerMessage(10, LogLevel.Information, "The history of {Resource} since version {Version} is gone; they are listed again")]
    private partial void LogGone(string resource, string? version);

    [LoggerMessage(11, LogLevel.Warning, "{Resource} cannot be followed: {Problem} (failures in a row: {Failures})")]
    private partial void LogFailure(string resource, string problem, int failures);

    [LoggerMessage(12, LogLevel.Error, "A handler failed on a change of {Resource} {Key}")]
    private partial void LogHandlerFailed(Exception error, string resource, ObjectKey key);
}
