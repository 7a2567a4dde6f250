using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Kubernetes.Events;

/// <summary>
/// Writes events in the background. The same event again raises the count of the first one; objects that have too many are
/// silenced for a while; what cannot wait any more is dropped, and the log says how many.
/// </summary>
public sealed partial class EventRecorder : IEventRecorder
{
    private const int MaxTries = 12;
    private const int MaxMessage = 1024;
    private const int MaxName = 253;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(5);

    private readonly IKubernetesClient _client;
    private readonly EventRecorderOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Random _random;
    private readonly ILogger _log;
    private readonly EventCorrelator _correlator;
    private readonly Channel<RecordedEvent> _waiting;
    private readonly Lock _normalLock = new();
    private readonly long _start;

    // When the bucket of normal events will be full again, as time since the start: each event moves it by its share.
    private TimeSpan _normalFull;
    private long _dropped;
    private long _toldDropped;

    /// <summary>Makes a recorder, which writes nothing before <see cref="RunAsync"/>.</summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="options">Who records.</param>
    /// <param name="timeProvider">Tells when events happen.</param>
    /// <param name="random">Makes names and spreads pauses.</param>
    /// <param name="log">Gets what could not be written.</param>
    public EventRecorder(
        IKubernetesClient client, EventRecorderOptions options, TimeProvider timeProvider, Random random, ILogger<EventRecorder> log)
    {
        ArgumentNullException.ThrowIfNull(options);
        _client = client;
        _options = options;
        _timeProvider = timeProvider;
        _random = random;
        _log = log;
        _start = timeProvider.GetTimestamp();
        _correlator = new EventCorrelator(options);
        _waiting = Channel.CreateBounded<RecordedEvent>(new BoundedChannelOptions(options.Capacity) { SingleReader = true });
    }

    /// <summary>Events dropped so far because too many were waiting.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <inheritdoc/>
    public void Record(ObjectReference involved, string type, string reason, string message)
    {
        ArgumentNullException.ThrowIfNull(involved);
        ArgumentNullException.ThrowIfNull(message);
        if ((type == EventType.Normal && !TakeNormal()) || !_waiting.Writer.TryWrite(new RecordedEvent(involved, type, reason, Shorten(message), _timeProvider.GetUtcNow())))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    private bool TakeNormal()
    {
        var share = TimeSpan.FromSeconds(1 / _options.NormalPerSecond);
        lock (_normalLock)
        {
            var now = _timeProvider.GetElapsedTime(_start);
            var full = (_normalFull > now ? _normalFull : now) + share;
            if (full - now > share * _options.NormalBurst)
            {
                return false;
            }

            _normalFull = full;
            return true;
        }
    }

    /// <summary>Writes events until cancelled; then those that wait, for 5 seconds at most. To be called once.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(cancellationToken))
            {
                // It stays in the queue until it is written, so that a cancellation does not lose it.
                while (_waiting.Reader.TryPeek(out var recorded))
                {
                    await WriteAsync(recorded, MaxTries, cancellationToken);
                    _waiting.Reader.TryRead(out _);
                    TellDropped();
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await DrainAsync();
        }
    }

    private async Task DrainAsync()
    {
        using var deadline = new CancellationTokenSource(DrainTime, _timeProvider);
        try
        {
            while (_waiting.Reader.TryRead(out var recorded))
            {
                await WriteAsync(recorded, 1, deadline.Token);
            }
        }
        catch (OperationCanceledException)
        {
            Interlocked.Add(ref _dropped, _waiting.Reader.Count + 1);
        }

        TellDropped();
    }

    private async Task WriteAsync(RecordedEvent recorded, int tries, CancellationToken cancellationToken)
    {
        if (_correlator.Correlate(recorded) is not var (written, message))
        {
            return;
        }

        // The same name each time: an attempt whose answer was lost must not leave a second event.
        var first = Make(recorded, message);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (written.Key is { } key)
                {
                    await RaiseCountAsync(key, recorded, written, message, cancellationToken);
                }
                else
                {
                    await CreateAsync(first, written, cancellationToken);
                }

                return;
            }
            catch (KubernetesApiException e) when (e.IsNotFound && written.Key is not null)
            {
                // The API server forgets events after a while.
                written.Key = null;
                written.Count = 0;
            }
            catch (KubernetesApiException e) when (e.IsTransient && attempt < tries)
            {
                var pause = FirstPause * Math.Pow(2, attempt - 1);
                pause = (pause < LongestPause ? pause : LongestPause) * (1 - (0.5 * _random.NextDouble()));
                await Task.Delay(e.RetryAfter > pause ? e.RetryAfter.Value : pause, _timeProvider, cancellationToken);
            }
            catch (KubernetesApiException e)
            {
                LogNotWritten(recorded.Reason, recorded.Involved.Kind, recorded.Involved.Name, e.Message);
                return;
            }
        }
    }

    private async Task RaiseCountAsync(
        ObjectKey key, RecordedEvent recorded, WrittenEvent written, string message, CancellationToken cancellationToken)
    {
        var patch = new JsonObject
        {
            ["count"] = written.Count + 1,
            ["lastTimestamp"] = recorded.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            ["message"] = message,
        };
        await _client.PatchAsync(Resources.Events, key, Patch.StrategicMerge(patch), null, cancellationToken);
        written.Count++;
    }

    private async Task CreateAsync(KubernetesEvent first, WrittenEvent written, CancellationToken cancellationToken)
    {
        try
        {
            await _client.CreateAsync(Resources.Events, first, cancellationToken);
        }
        catch (KubernetesApiException e) when (e.IsAlreadyExists)
        {
            // An earlier attempt did it.
        }

        written.Key = ObjectKey.Of(first);
        written.Count = 1;
    }

    private KubernetesEvent Make(RecordedEvent recorded, string message)
    {
        var suffix = $".{_random.NextInt64(1L << 60):x15}";
        var name = recorded.Involved.Name ?? "";
        return new KubernetesEvent
        {
            Metadata =
            {
                Name = (name.Length + suffix.Length > MaxName ? name[..(MaxName - suffix.Length)].TrimEnd('.', '-') : name) + suffix,

                // Events about objects of the whole cluster are kept here by custom; kubectl looks for them here.
                Namespace = recorded.Involved.Namespace is { Length: > 0 } @namespace ? @namespace : "default",
            },
            InvolvedObject = recorded.Involved,
            Type = recorded.Type,
            Reason = recorded.Reason,
            Message = message,
            Source = new EventSource { Component = _options.Component, Host = _options.Host },
            ReportingComponent = _options.Component,
            ReportingInstance = _options.Host ?? "",
            FirstTimestamp = recorded.At,
            LastTimestamp = recorded.At,
            Count = 1,
        };
    }

    private void TellDropped()
    {
        if (Dropped is var dropped && dropped > _toldDropped)
        {
            LogDropped(dropped - _toldDropped);
            _toldDropped = dropped;
        }
    }

    private static string Shorten(string message) => message.Length > MaxMessage ? $"{message[..(MaxMessage - 1)]}…" : message;

    [LoggerMessage(20, LogLevel.Warning, "Event {Reason} about {Kind} {Name} could not be written: {Problem}")]
    private partial void LogNotWritten(string reason, string? kind, string? name, string problem);

    [LoggerMessage(21, LogLevel.Warning, "{Count} events were dropped, too many were waiting")]
    private partial void LogDropped(long count);
}
