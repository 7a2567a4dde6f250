using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Kip.Kubernetes.Queues;

/// <summary>
/// Keys that need work. A key has one worker at a time; adding it while it is worked on makes it come again, adding it while it
/// waits changes nothing. Work that throws is tried again, for ever, with growing pauses. Safe for concurrent use.
/// </summary>
public sealed partial class WorkQueue<TKey> : IDisposable
    where TKey : notnull
{
    private readonly WorkQueueOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly Random _random;
    private readonly ILogger _log;
    private readonly Channel<TKey> _ready = Channel.CreateUnbounded<TKey>();
    private readonly Dictionary<TKey, Entry> _entries = [];
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <summary>Makes a queue.</summary>
    /// <param name="options">How attempts are spaced; the defaults when null.</param>
    /// <param name="timeProvider">Measures pauses.</param>
    /// <param name="random">Spreads pauses; used under a lock.</param>
    /// <param name="log">Gets failures.</param>
    public WorkQueue(WorkQueueOptions? options, TimeProvider timeProvider, Random random, ILogger log)
    {
        _options = options ?? new WorkQueueOptions();
        _timeProvider = timeProvider;
        _random = random;
        _log = log;
    }

    /// <summary>Told of each failure, so that it can be explained to whom it concerns. Must not block.</summary>
    public Action<WorkFailure<TKey>>? OnFailure { get; init; }

    /// <summary>How many keys are known: waiting, being worked on, or to come back later.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Wants work on a key as soon as a worker is free.</summary>
    public void Add(TKey key)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                MakeReady(key, Find(key));
            }
        }
    }

    /// <summary>Wants work on a key after a time, or earlier if it is added again.</summary>
    public void AddAfter(TKey key, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            Add(key);
            return;
        }

        lock (_lock)
        {
            if (!_disposed)
            {
                Schedule(key, Find(key), delay);
            }
        }
    }

    /// <summary>
    /// Works on keys until cancelled. Once cancelled no further work is begun; returns when the work under way, which gets the
    /// same token, has ended.
    /// </summary>
    /// <param name="workers">How many keys are worked on at a time, at least 1.</param>
    /// <param name="work">The work; a time it returns brings the key back after it, null leaves the key at rest.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public Task RunAsync(
        int workers, Func<WorkItem<TKey>, CancellationToken, ValueTask<TimeSpan?>> work, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(workers);
        ArgumentNullException.ThrowIfNull(work);
        return Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(() => WorkAsync(work, cancellationToken), CancellationToken.None)));
    }

    /// <summary>Forgets all keys and takes no more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var entry in _entries.Values)
            {
                entry.Timer?.Dispose();
            }

            _entries.Clear();
            _ready.Writer.TryComplete();
        }
    }

    private async Task WorkAsync(Func<WorkItem<TKey>, CancellationToken, ValueTask<TimeSpan?>> work, CancellationToken cancellationToken)
    {
        try
        {
            while (await _ready.Reader.WaitToReadAsync(cancellationToken))
            {
                while (!cancellationToken.IsCancellationRequested && _ready.Reader.TryRead(out var key))
                {
                    await WorkOnAsync(key, work, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The way this ends.
        }
    }

    private async Task WorkOnAsync(
        TKey key, Func<WorkItem<TKey>, CancellationToken, ValueTask<TimeSpan?>> work, CancellationToken cancellationToken)
    {
        if (Begin(key) is not { } failures)
        {
            return;
        }

        try
        {
            var again = await work(new WorkItem<TKey>(key, failures), cancellationToken);
            Succeeded(key, again);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Cut short, not failed: the next run takes it up.
            Succeeded(key, TimeSpan.Zero);
        }
#pragma warning disable CA1031 // Whatever the work throws, the key must not be lost.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (Failed(key, e) is { } failure)
            {
                LogFailure(_options.IsExpected(e) ? null : e, key.ToString(), failure.Failures, TimeSpan.FromSeconds(Math.Ceiling(failure.Pause.TotalSeconds)), e.Message);
                Tell(failure);
            }
        }
    }

    private void Tell(WorkFailure<TKey> failure)
    {
        try
        {
            OnFailure?.Invoke(failure);
        }
#pragma warning disable CA1031 // A fault of the listener must not cost a worker.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogListenerFailed(e, failure.Key.ToString());
        }
    }

    /// <summary>How often the key failed before; null when it is gone.</summary>
    private int? Begin(TKey key)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var entry))
            {
                return null;
            }

            entry.State = State.Working;
            return entry.Failures;
        }
    }

    private void Succeeded(TKey key, TimeSpan? again)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var entry))
            {
                return;
            }

            entry.Failures = 0;
            End(key, entry, again);
        }
    }

    private WorkFailure<TKey>? Failed(TKey key, Exception error)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out var entry))
            {
                return null;
            }

            entry.Failures++;
            var pause = Pause(entry.Failures);
            End(key, entry, pause);
            return new WorkFailure<TKey>(key, entry.Failures, pause, error);
        }
    }

    private void End(TKey key, Entry entry, TimeSpan? again)
    {
        var dirty = entry.State == State.WorkingAndWanted;
        entry.State = State.Idle;
        if (dirty || again <= TimeSpan.Zero)
        {
            MakeReady(key, entry);
        }
        else if (again is { } delay)
        {
            Schedule(key, entry, delay);
        }
        else if (entry.Timer is null)
        {
            _entries.Remove(key);
        }
    }

    private Entry Find(TKey key)
    {
        if (!_entries.TryGetValue(key, out var entry))
        {
            entry = new Entry();
            _entries.Add(key, entry);
        }

        return entry;
    }

    private void MakeReady(TKey key, Entry entry)
    {
        switch (entry.State)
        {
            case State.Idle:
                entry.Cancel();
                entry.State = State.Ready;
                _ready.Writer.TryWrite(key);
                break;
            case State.Working:
                entry.Cancel();
                entry.State = State.WorkingAndWanted;
                break;
            default:
                break;
        }
    }

    /// <summary>The earliest time asked for counts.</summary>
    private void Schedule(TKey key, Entry entry, TimeSpan delay)
    {
        if (entry.State is State.Ready or State.WorkingAndWanted)
        {
            return;
        }

        var due = _timeProvider.GetTimestamp() + (long)(delay.TotalSeconds * _timeProvider.TimestampFrequency);
        if (entry.Timer is not null && entry.Due <= due)
        {
            return;
        }

        entry.Cancel();
        entry.Due = due;
        var alarm = new Alarm(this, key, entry);
        entry.Alarm = alarm;
        entry.Timer = _timeProvider.CreateTimer(static state => ((Alarm)state!).Ring(), alarm, delay, Timeout.InfiniteTimeSpan);
    }

    private TimeSpan Pause(int failures)
    {
        var pause = _options.FirstPause.TotalSeconds * Math.Pow(2, failures - 1);
        pause = Math.Min(pause, _options.LongestPause.TotalSeconds);
        return TimeSpan.FromSeconds(pause * (1 - (_options.Jitter * _random.NextDouble())));
    }

    [LoggerMessage(1, LogLevel.Warning, "Work on {Key} failed {Failures} times in a row, tried again in {Pause}: {Problem}")]
    private partial void LogFailure(Exception? error, string? key, int failures, TimeSpan pause, string problem);

    [LoggerMessage(2, LogLevel.Error, "The listener for failures failed on {Key}")]
    private partial void LogListenerFailed(Exception error, string? key);

    private enum State
    {
        Idle,
        Ready,
        Working,
        WorkingAndWanted,
    }

    private sealed class Entry
    {
        public State State { get; set; }

        public int Failures { get; set; }

        public ITimer? Timer { get; set; }

        public Alarm? Alarm { get; set; }

        public long Due { get; set; }

        public void Cancel()
        {
            Timer?.Dispose();
            Timer = null;
            Alarm = null;
        }
    }

    private sealed class Alarm(WorkQueue<TKey> queue, TKey key, Entry entry)
    {
        public void Ring()
        {
            lock (queue._lock)
            {
                // A timer may fire while it is being cancelled.
                if (!queue._disposed && ReferenceEquals(entry.Alarm, this))
                {
                    entry.Cancel();
                    queue.MakeReady(key, entry);
                }
            }
        }
    }
}
