using System.Runtime.CompilerServices;
using Google.Protobuf;
using Kip.Agents.Protocol;

namespace Kip.Agent.Status;

/// <summary>
/// What the agent knows and tells: the newest report of the pod and the last events. Written by the pod worker, read by any number of
/// watchers; a slow watcher misses reports that a newer one replaced, never the newest.
/// </summary>
internal sealed class StatusBoard(TimeProvider time)
{
    private const int EventsKept = 256;
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(10);
    private readonly Lock _lock = new();
    private readonly Queue<PodEvent> _events = new();
    private PodReport? _report;
    private Interruption? _interruption;
    private PodView _view = PodView.None;
    private ulong _lastEvent;
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Names this run of the agent.</summary>
    public string Instance { get; } = Guid.NewGuid().ToString("N");

    /// <summary>What the log reader needs to know of the pod.</summary>
    public PodView View
    {
        get
        {
            lock (_lock)
            {
                return _view;
            }
        }
    }

    /// <summary>Completes at the next change after this property was read.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>Replaces the report.</summary>
    public void Publish(string podUid, byte[] status, ulong generation)
    {
        lock (_lock)
        {
            _report = new PodReport { PodUid = podUid, Status = ByteString.CopyFrom(status), Generation = generation };
            Signal();
        }
    }

    /// <summary>Replaces the view.</summary>
    public void Show(PodView view)
    {
        lock (_lock)
        {
            if (!_view.Equals(view))
            {
                _view = view;
                Signal();
            }
        }
    }

    /// <summary>The cloud takes the machine back.</summary>
    /// <param name="deadline">When it is to end.</param>
    /// <param name="message">In the cloud's words.</param>
    public void Interrupt(DateTimeOffset deadline, string message)
    {
        var told = new Interruption { DeadlineUnixMs = deadline.ToUnixTimeMilliseconds(), Message = message };
        lock (_lock)
        {
            if (!told.Equals(_interruption))
            {
                _interruption = told;
                Signal();
            }
        }
    }

    /// <summary>Adds an event; the oldest goes when there are too many.</summary>
    public void Event(string type, string reason, string message, string container = "")
    {
        lock (_lock)
        {
            _events.Enqueue(new PodEvent
            {
                Sequence = ++_lastEvent,
                TimeUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
                Type = type,
                Reason = reason,
                Message = message,
                Container = container,
            });
            if (_events.Count > EventsKept)
            {
                _events.Dequeue();
            }

            Signal();
        }
    }

    /// <summary>The whole truth, then each change, and a heartbeat when nothing happens. Without a pod it begins with a heartbeat.</summary>
    public async IAsyncEnumerable<StatusUpdate> WatchAsync(
        ulong afterEvent, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PodReport? sent = null;
        Interruption? interrupted = null;
        var first = true;
        while (true)
        {
            var (report, events, interruption, changed) = Since(afterEvent);
            if (report is not null && !ReferenceEquals(report, sent))
            {
                sent = report;
                first = false;
                yield return new StatusUpdate { Report = report };
            }

            foreach (var podEvent in events)
            {
                afterEvent = podEvent.Sequence;
                first = false;
                yield return new StatusUpdate { Event = podEvent };
            }

            if (interruption is not null && !ReferenceEquals(interruption, interrupted))
            {
                interrupted = interruption;
                first = false;
                yield return new StatusUpdate { Interruption = interruption };
            }

            if (first || !await ChangedWithin(changed, cancellationToken))
            {
                first = false;
                yield return new StatusUpdate { Heartbeat = new Heartbeat { NowUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds() } };
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private (PodReport? Report, List<PodEvent> Events, Interruption? Interruption, Task Changed) Since(ulong afterEvent)
    {
        lock (_lock)
        {
            return (_report, [.. _events.Where(podEvent => podEvent.Sequence > afterEvent)], _interruption, _changed.Task);
        }
    }

    private async Task<bool> ChangedWithin(Task changed, CancellationToken cancellationToken)
    {
        try
        {
            await changed.WaitAsync(HeartbeatInterval, time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private void Signal()
    {
        _changed.SetResult();
        _changed = NewSignal();
    }
}
