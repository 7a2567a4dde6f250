using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Kip.Cells;
using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Pods;

/// <summary>
/// Tells the API server how pods are: at once, one call at a time for each pod, the newest status only, and again until it is accepted.
/// What a pod still waits for is told a moment later, since most often that is over by then.
/// </summary>
internal sealed partial class PodStatusWriter : IAsyncDisposable
{
    private const int ParallelCalls = 64;
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PendingPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private static readonly string[] _passing = [PodConditionType.PodResizePending, PodConditionType.PodResizeInProgress];
    private static readonly JsonElement _delete = JsonElement.Parse("\"delete\"");

    private readonly IKubernetesClient _client;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Func<PodReference, Pod?> _find;
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _calls = new(ParallelCalls);
    private readonly CancellationTokenSource _lifetime = new();

    /// <summary>Makes a writer.</summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="find">A pod as the API server last had it; null for one that it has not, or of which nothing is known.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets failures.</param>
    public PodStatusWriter(IKubernetesClient client, Func<PodReference, Pod?> find, TimeProvider time, ILogger logger) =>
        (_client, _find, _time, _logger) = (client, find, time, logger);

    /// <summary>
    /// This is how the pod is now; once it was said how it ended, nothing else counts. The status must not be changed any more.
    /// </summary>
    public void Set(PodReference pod, PodStatus status)
    {
        var entry = _entries.GetOrAdd(pod.Uid, static (_, p) => new Entry(p), pod);
        lock (entry)
        {
            if (entry.IsGone || ReferenceEquals(entry.Wanted, status) || (PodPhase.IsFinal(entry.Wanted?.Phase) && !PodPhase.IsFinal(status.Phase)))
            {
                return;
            }

            entry.Wanted = status;
            if (status.Phase is not PodPhase.Pending)
            {
                Send(entry);
            }
            else if (entry.Sending.IsCompleted)
            {
                entry.Later ??= _time.CreateTimer(_ => SendNow(entry), null, PendingPause, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Something that is told beside what the cell says, such as a readiness gate, is another now: the newest status is told again.</summary>
    public void SetAgain(string uid)
    {
        if (_entries.TryGetValue(uid, out var entry))
        {
            lock (entry)
            {
                entry.IsStale = true;
                Send(entry);
            }
        }
    }

    /// <summary>Completes when the API server has the newest status of the pod, or no longer has the pod.</summary>
    public async Task FlushAsync(string uid, CancellationToken cancellationToken)
    {
        if (_entries.TryGetValue(uid, out var entry))
        {
            Task sending;
            lock (entry)
            {
                Send(entry);
                sending = entry.Sending;
            }

            await sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The pod is no longer of interest.</summary>
    public void Forget(string uid)
    {
        if (_entries.TryRemove(uid, out var entry))
        {
            lock (entry)
            {
                entry.IsGone = true;
                entry.StopTimer();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _lifetime.CancelAsync().ConfigureAwait(false);
        foreach (var entry in _entries.Values)
        {
            Forget(entry.Pod.Uid);
            await entry.Sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _lifetime.Dispose();
        _calls.Dispose();
    }

    private void SendNow(Entry entry)
    {
        lock (entry)
        {
            Send(entry);
        }
    }

    private void Send(Entry entry)
    {
        entry.StopTimer();
        if (!entry.IsGone && entry.Sending.IsCompleted && entry.Wanted is not null && (entry.IsStale || !ReferenceEquals(entry.Wanted, entry.Told)))
        {
            entry.Sending = Task.Run(() => SendAsync(entry), _lifetime.Token);
        }
    }

    private async Task SendAsync(Entry entry)
    {
        var pause = FirstPause;
        while (true)
        {
            PodStatus status;
            TimeSpan? again;
            await _calls.WaitAsync(_lifetime.Token).ConfigureAwait(false);
            try
            {
                // Only now: what came while this one waited for its turn need not be told.
                lock (entry)
                {
                    status = entry.Wanted!;
                    entry.IsStale = false;
                }

                again = await TrySendAsync(entry, status).ConfigureAwait(false);
            }
            finally
            {
                _calls.Release();
            }

            if (again is { } atLeast)
            {
                await Task.Delay(atLeast + (pause * (0.75 + (Random.Shared.NextDouble() / 2))), _time, _lifetime.Token).ConfigureAwait(false);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                continue;
            }

            pause = FirstPause;
            lock (entry)
            {
                if (entry.IsGone || (!entry.IsStale && ReferenceEquals(entry.Wanted, status)))
                {
                    // Under the lock, so that the next Set starts a new one.
                    entry.Told = status;
                    entry.Sending = Task.CompletedTask;
                    return;
                }
            }
        }
    }

    /// <summary>After what time, at least, it has to be tried again; null when it is done.</summary>
    private async Task<TimeSpan?> TrySendAsync(Entry entry, PodStatus status)
    {
        var pod = entry.Pod;
        var known = _find(pod);
        var told = PodReadiness.Of(status, known, _time.GetUtcNow());
        List<PodCondition> before = [.. known?.Status?.Conditions ?? [], .. entry.Told?.Conditions ?? []];
        using var timeout = new CancellationTokenSource(CallTimeout, _time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _lifetime.Token);
        try
        {
            await _client.PatchAsync(
                Resources.Pods, new ObjectKey(pod.Namespace, pod.Name), Patch.StrategicMerge(ToPatch(pod, WithoutWhatIsOver(told, before))), "status", bounded.Token).ConfigureAwait(false);
            return null;
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            return null; // the pod is gone: nobody wants to know
        }
        catch (KubernetesApiException e) when (e.IsConflict)
        {
            // Another pod has its name, or the API server lost a race with other writers.
            return await IsGoneAsync(pod, bounded.Token).ConfigureAwait(false) ? null : TimeSpan.Zero;
        }
        catch (KubernetesApiException e) when (e.IsInvalid)
        {
            LogRefused(pod, e.Message);
            return null; // the same again would be refused again
        }
        catch (KubernetesApiException e)
        {
            LogRetry(pod, e.Message);
            return e.RetryAfter ?? TimeSpan.Zero;
        }
        catch (OperationCanceledException) when (!_lifetime.IsCancellationRequested)
        {
            LogRetry(pod, $"no answer within {CallTimeout.TotalSeconds:0} s");
            return TimeSpan.Zero;
        }
    }

    private async Task<bool> IsGoneAsync(PodReference pod, CancellationToken cancellationToken)
    {
        try
        {
            return await _client.FindPodAsync(new ObjectKey(pod.Namespace, pod.Name), pod.Uid, cancellationToken).ConfigureAwait(false) is null;
        }
        catch (Exception e) when (e is KubernetesApiException || (e is OperationCanceledException && !_lifetime.IsCancellationRequested))
        {
            return false; // the next try tells
        }
    }

    // The UID makes the API server refuse it for another pod of the same name. A merge leaves what is not said: what no longer holds is said
    // to be null. A status always says the phase, so that it is never empty.
    private static byte[] ToPatch(PodReference pod, PodStatus status)
    {
        var nulls = (status.Reason is null ? ",\"reason\":null" : "") + (status.Message is null ? ",\"message\":null" : "") + (status.Resize is null ? ",\"resize\":null" : "");
        return
        [
            .. "{\"metadata\":{\"uid\":\""u8, .. JsonEncodedText.Encode(pod.Uid).EncodedUtf8Bytes, .. "\"},\"status\":"u8,
            .. KubernetesJson.SerializeToUtf8(status).AsSpan()[..^1], .. Encoding.UTF8.GetBytes(nulls), .. "}}"u8,
        ];
    }

    /// <summary>Of all conditions only those about a change of resources go away again.</summary>
    private static PodStatus WithoutWhatIsOver(PodStatus status, List<PodCondition> before)
    {
        string[] over = [.. _passing.Where(type => before.Exists(c => c.Type == type) && status.Conditions?.Exists(c => c.Type == type) != true)];
        if (over.Length == 0)
        {
            return status;
        }

        var changed = KubernetesJson.Clone(status);
        changed.Conditions = [.. changed.Conditions ?? [], .. over.Select(static type => new PodCondition { Type = type, Unknown = new() { ["$patch"] = _delete } })];
        return changed;
    }

    [LoggerMessage(30, LogLevel.Warning, "The status of pod {Pod} could not be told, tried again: {Problem}")]
    private partial void LogRetry(PodReference pod, string problem);

    [LoggerMessage(31, LogLevel.Error, "The API server refuses the status of pod {Pod}: {Problem}")]
    private partial void LogRefused(PodReference pod, string problem);

    private sealed class Entry(PodReference pod)
    {
        public PodReference Pod { get; } = pod;

        public PodStatus? Wanted { get; set; }

        public PodStatus? Told { get; set; }

        public Task Sending { get; set; } = Task.CompletedTask;

        /// <summary>What was told is not so any more, though the cell says the same.</summary>
        public bool IsStale { get; set; }

        public bool IsGone { get; set; }

        public ITimer? Later { get; set; }

        public void StopTimer()
        {
            Later?.Dispose();
            Later = null;
        }
    }
}
