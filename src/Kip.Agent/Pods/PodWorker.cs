using System.Threading.Channels;
using Google.Protobuf;
using Kip.Agent.Hooks;
using Kip.Agent.Logs;
using Kip.Agent.Probes;
using Kip.Agent.Runtime;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.State;
using Kip.Agent.Status;
using Kip.Agent.Storage;
using Kip.Agent.Volumes;
using Kip.Agent.Volumes.Disks;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Pods;

/// <summary>What the pod worker works with.</summary>
internal sealed record PodWorkerParts
{
    public required ICriRuntime Runtime { get; init; }

    public required PodNetwork Network { get; init; }

    public required ImagePuller Images { get; init; }

    public required ContainerActions Actions { get; init; }

    public required StateDirectory State { get; init; }

    public required StatusBoard Board { get; init; }

    public required Cell Cell { get; init; }

    public required TimeProvider Time { get; init; }

    public required ILogger<PodWorker> Logger { get; init; }
}

/// <summary>
/// Runs the one pod of the cell. One loop owns all state: whatever comes from outside (a pod, a stop, a hint, the end of an operation) is a
/// closure in its inbox. Each turn looks at the runtime afresh and decides by what it sees, never by what it remembers having done; so a new
/// agent process, or a containerd that was away, needs no code of its own.
/// </summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan RelistInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaximumRuntimeDelay = TimeSpan.FromSeconds(2);

    /// <summary>So long it may boot beside the agent before its silence is told as a trouble.</summary>
    private static readonly TimeSpan RuntimeBoot = TimeSpan.FromSeconds(10);

    private const int MostExited = 32;

    /// <summary>containerd's CRI handles an exit in parallel with announcing it: how long to wait between looks until it shows.</summary>
    private static readonly int[] _settleMilliseconds = [0, 5, 10, 20, 50, 100, 200, 400];

    private readonly Channel<Action> _inbox = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly PodWorkerParts _parts;
    private readonly ILogger<PodWorker> _logger;
    private readonly TimeProvider _time;
    private readonly RuntimeObserver _observer;
    private readonly PodFiles _files;
    private readonly PodVolumes _volumes;
    private readonly StorageMeter _storage;
    private readonly LastWords _lastWords;
    private readonly HookRunner _hooks;
    private readonly LogRotation _rotation;
    private readonly ITimer _alarm;
    private PodContext? _pod;
    private PodStatus? _restored;
    private CancellationToken _lifetime;
    private bool _observing;
    private bool _lookAgain;
    private int _changes;
    private DateTimeOffset _wake;
    private string? _runtimeTrouble;
    private TimeSpan _runtimeDelay;
    private DateTimeOffset _runtimeAwaySince;
    private bool _runtimeHasAnswered;
    private bool _runtimeTroubleTold;
    private readonly HashSet<string> _exited = [];
    private int _settleStep;

    public PodWorker(PodWorkerParts parts)
    {
        _parts = parts;
        _logger = parts.Logger;
        _time = parts.Time;
        _observer = new RuntimeObserver(parts.Runtime, parts.Time);
        _files = new PodFiles(parts.State);
        _volumes = new PodVolumes(parts.Cell, parts.Time, new PersistentVolumes(new BlockDevices(), new FileSystems(SystemCommand.Run), parts.Time));
        _storage = new StorageMeter(parts.Runtime, _volumes, parts.Cell);
        _lastWords = new LastWords(_files, parts.Cell);
        _rotation = new LogRotation(parts.Runtime, parts.Time);
        _hooks = new HookRunner(parts.Actions, parts.Time);
        _alarm = _time.CreateTimer(_ => Post(() => _lookAgain = true), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Runs until it is cancelled. Containers stay as they are.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _lifetime = cancellationToken;
        try
        {
            Restore();
            await foreach (var message in _inbox.Reader.ReadAllAsync(cancellationToken))
            {
                message();
                while (_inbox.Reader.TryRead(out var next))
                {
                    next();
                }

                Look();
            }
        }
        finally
        {
            await _alarm.DisposeAsync();
        }
    }

    /// <summary>Takes the pod, or a newer version of it; returns once it is recorded.</summary>
    /// <exception cref="RpcException">InvalidArgument: it cannot be run here. FailedPrecondition: the cell has another pod.</exception>
    public Task ApplyAsync(ApplyPodRequest request, CancellationToken cancellationToken) =>
        AskAsync(() => Apply(request), cancellationToken);

    /// <summary>Begins to end the pod; returns once that is recorded.</summary>
    /// <exception cref="RpcException">NotFound: the cell does not have this pod. InvalidArgument: the grace period is negative.</exception>
    public Task StopAsync(string podUid, TimeSpan grace, CancellationToken cancellationToken) =>
        AskAsync(() => Stop(podUid, grace), cancellationToken);

    /// <summary>A process of the runtime has ended: perhaps one of the pod's.</summary>
    public void ContainerExited(string containerId) => Post(() =>
    {
        // It may be of a container that was started a moment ago and was not looked at yet.
        if (_pod is not null)
        {
            if (_exited.Count == MostExited)
            {
                _exited.Clear();
            }

            _exited.Add(containerId);
            _settleStep = 0;
            _lookAgain = true;
        }
    });

    /// <summary>The runtime answers, after it did not: the next look need not wait for its time.</summary>
    public void RuntimeCame() => Post(() => _lookAgain = true);

    private void Post(Action message) => _inbox.Writer.TryWrite(message);

    private async Task AskAsync(Action action, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                action();
                answer.SetResult();
            }
            catch (RpcException e)
            {
                answer.SetException(e);
            }
        });
        await answer.Task.WaitAsync(cancellationToken);
    }

    private void Restore()
    {
        if (_parts.State.ReadPod() is not { } record)
        {
            return;
        }

        _pod = new PodContext(record, ApplyPodRequest.Parser.ParseFrom(record.Apply), _parts.Cell);
        _restored = _pod.LastStatus;
        if (!record.Status.IsEmpty)
        {
            _parts.Board.Publish(_pod.Uid, record.Status.ToByteArray(), record.Generation);
        }

        Restored(_pod.Uid);
        Show();
        Post(() => _lookAgain = true);
    }

    private void Apply(ApplyPodRequest request)
    {
        var pod = PodReader.Read(request);
        PodReader.CheckVolumes(request, pod);
        // Apart from the request, which is recorded.
        ResolvedVolume[] contents = [.. request.Volumes];
        request.Volumes.Clear();
        var uid = PodIdentity.Uid(pod);
        var (infeasible, unknown) = (_pod?.Infeasible, _pod?.UnknownFields ?? []);
        if (_pod is not null)
        {
            if (_pod.Uid != uid)
            {
                throw new RpcException(StatusCode.FailedPrecondition, $"the cell has pod {_pod.Uid} already");
            }

            _pod.Update(request, pod);
        }
        else
        {
            var record = new PodRecord { AcceptedUnixMs = _time.GetUtcNow().ToUnixTimeMilliseconds(), Apply = request.ToByteString() };
            _pod = new PodContext(record, request, _parts.Cell);
            Accepted(PodIdentity.Display(pod));
        }

        if (_pod.Infeasible is { } problem && problem != infeasible)
        {
            _parts.Board.Event("Warning", "ResizeInfeasible", problem);
        }

        if (_pod.UnknownFields.Except(unknown).ToList() is { Count: > 0 } news)
        {
            _parts.Board.Event("Warning", "UnknownField", $"this version of Kip does not know {string.Join(", ", news)}: no effect");
        }

        _pod.Volumes.Take(contents);
        Save();
        Publish();
        _lookAgain = true;
    }

    private void Stop(string podUid, TimeSpan grace)
    {
        if (_pod is null || _pod.Uid != podUid)
        {
            throw new RpcException(StatusCode.NotFound, $"the cell does not have pod {podUid}");
        }

        if (grace < TimeSpan.Zero)
        {
            throw new RpcException(StatusCode.InvalidArgument, "grace_period_seconds: 0 or more is required");
        }

        if (!_pod.Record.Ended && _pod.BeginStop(_time.GetUtcNow() + grace))
        {
            Stopping(podUid, grace.TotalSeconds);
            Save();
        }

        _lookAgain = true;
    }

    /// <summary>Starts a look at the runtime if one is due; its result comes back through the inbox.</summary>
    private void Look()
    {
        if (_pod is null || _pod.Record.Ended || _observing || !_lookAgain)
        {
            return;
        }

        _lookAgain = false;
        _observing = true;
        var changes = _changes;
        Begin(
            token => _observer.ObserveAsync(_pod.Uid, token),
            (observation, error) =>
            {
                _observing = false;
                if (error is not null)
                {
                    RuntimeFailed(error);
                }
                else if (changes != _changes)
                {
                    // Something was done while the look was under way: it may not show yet.
                    _lookAgain = true;
                }
                else
                {
                    RuntimeAnswered();
                    _wake = _time.GetUtcNow() + RelistInterval;
                    Adopt(observation!);
                    Decide(observation!);
                    Settle();
                    SetAlarm(); // before others learn of it: what they do next may depend on the time
                    Publish();
                }
            },
            countsAsChange: false);
    }

    private void RuntimeFailed(Exception error)
    {
        var message = $"The container runtime does not answer: {error.Message}";
        if (_runtimeTrouble is null)
        {
            _runtimeDelay = TimeSpan.FromMilliseconds(25);
            _runtimeAwaySince = _time.GetUtcNow();
            _runtimeTroubleTold = false;
        }

        if (!_runtimeTroubleTold && (_runtimeHasAnswered || _time.GetUtcNow() - _runtimeAwaySince >= RuntimeBoot))
        {
            _runtimeTroubleTold = true;
            _parts.Board.Event("Warning", "RuntimeNotAnswering", message);
            RuntimeAway(error);
        }

        _runtimeTrouble = message;
        _runtimeDelay = _runtimeDelay * 2 < MaximumRuntimeDelay ? _runtimeDelay * 2 : MaximumRuntimeDelay;
        _wake = _time.GetUtcNow() + _runtimeDelay;
        SetAlarm();
        Publish();
    }

    private void RuntimeAnswered()
    {
        _runtimeHasAnswered = true;
        if (_runtimeTrouble is not null)
        {
            _runtimeTrouble = null;
            if (_runtimeTroubleTold)
            {
                RuntimeBack();
            }
        }
    }

    /// <summary>After a hint: looks again soon while a container that was said to have ended still shows as running.</summary>
    private void Settle()
    {
        _exited.RemoveWhere(id => _pod!.Knows(id) && !_pod.IsRunning(id));
        if (_settleStep < _settleMilliseconds.Length && _exited.Any(_pod!.IsRunning))
        {
            WakeAt(_time.GetUtcNow().AddMilliseconds(_settleMilliseconds[_settleStep++]));
        }
    }

    private void WakeAt(DateTimeOffset time) => _wake = time < _wake ? time : _wake;

    private void SetAlarm()
    {
        var due = _wake - _time.GetUtcNow();
        _alarm.Change(due > TimeSpan.Zero ? due : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Does something beside the loop; what follows from its result runs in the loop.</summary>
    private void Begin<T>(Func<CancellationToken, Task<T>> work, Action<T?, Exception?> done, bool countsAsChange = true)
        where T : class
    {
        _ = RunAsync();

        async Task RunAsync()
        {
            T? result = null;
            Exception? error = null;
            try
            {
                result = await Task.Run(() => work(_lifetime), _lifetime);
            }
            catch (OperationCanceledException) when (_lifetime.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Whatever went wrong must reach the loop, or it would wait for this operation for ever.
                error = e;
                if (e is not (RpcException or ContainerStartException or VolumeException or OperationCanceledException))
                {
                    Unexpected(e);
                    _parts.Board.Event("Warning", "Failed", $"Error: {e.Message}");
                }
            }

            Post(() =>
            {
                _changes += countsAsChange ? 1 : 0;
                _lookAgain |= countsAsChange;
                done(result, error);
            });
        }
    }

    private void Save()
    {
        try
        {
            _parts.State.WritePod(_pod!.Record);
        }
        catch (IOException e)
        {
            // The pod goes on; what is lost is what a restart of the agent would have known.
            NotSaved(e);
        }
    }

    private void Publish()
    {
        var pod = _pod!;
        var status = PodStatusBuilder.Build(pod.Picture(_runtimeTrouble), pod.LastStatus, _time.GetUtcNow());
        var json = KubernetesJson.SerializeToUtf8(status);
        if (!json.AsSpan().SequenceEqual(pod.Record.Status.Span))
        {
            pod.LastStatus = status;
            pod.Record.Status = ByteString.CopyFrom(json);
            pod.Record.Generation++;
            Save();
            _parts.Board.Publish(pod.Uid, json, pod.Record.Generation);
        }

        Show();
    }

    private void Show() => _parts.Board.Show(_pod!.View());

    [LoggerMessage(1, LogLevel.Information, "Took pod {Pod}")]
    private partial void Accepted(string pod);

    [LoggerMessage(2, LogLevel.Information, "Found pod {Uid} of an earlier run of the agent")]
    private partial void Restored(string uid);

    [LoggerMessage(3, LogLevel.Information, "Ending pod {Uid} within {Seconds} s")]
    private partial void Stopping(string uid, double seconds);

    [LoggerMessage(4, LogLevel.Warning, "The container runtime does not answer")]
    private partial void RuntimeAway(Exception error);

    [LoggerMessage(5, LogLevel.Information, "The container runtime answers again")]
    private partial void RuntimeBack();

    [LoggerMessage(6, LogLevel.Error, "Unexpected failure of an operation")]
    private partial void Unexpected(Exception error);

    [LoggerMessage(7, LogLevel.Error, "Cannot save the pod's state")]
    private partial void NotSaved(Exception error);

    [LoggerMessage(8, LogLevel.Warning, "Cannot {Operation}")]
    private partial void Trouble(Exception error, string operation);

    [LoggerMessage(9, LogLevel.Information, "Pod {Uid} has ended")]
    private partial void HasEnded(string uid);
}
