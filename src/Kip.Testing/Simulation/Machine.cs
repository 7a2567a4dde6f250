using Kip.Drivers;

namespace Kip.Testing;

/// <summary>
/// An instance inside the cloud. Its state is a function of the time, so that it never depends on when some background work runs; only
/// what must interrupt the pod and the connections, its end, is also a timer. Guarded by the cloud's lock.
/// </summary>
internal sealed class Machine : IDisposable
{
    private readonly InstancePlan _plan;
    private readonly CancellationTokenSource _ended = new();
    private readonly ITimer _endTimer;
    private readonly TimeProvider _clock;
    private DateTimeOffset? _terminateAccepted;
    private DateTimeOffset? _endsAt;
    private string? _endReason;

    public Machine(string id, string address, string? podAddress, LaunchRequest request, InstancePlan plan, TimeProvider clock, bool planted)
    {
        (Id, Address, PodAddress, Request, IsPlanted) = (id, address, podAddress, request, planted);
        (_plan, _clock, LaunchedAt) = (plan, clock, clock.GetUtcNow());
        _endTimer = clock.CreateTimer(static ended => ((CancellationTokenSource)ended!).Cancel(), _ended, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Agent = new ScriptedAgent(this, clock);
        if (plan.DiesAfter is { } after)
        {
            EndAt(LaunchedAt + after, plan.DeathReason);
        }
    }

    public string Id { get; }

    public string Address { get; }

    public string? PodAddress { get; }

    public LaunchRequest Request { get; }

    public bool IsPlanted { get; }

    public DateTimeOffset LaunchedAt { get; }

    public ScriptedAgent Agent { get; }

    /// <summary>Cancelled when the machine is no more.</summary>
    public CancellationToken Ended => _ended.Token;

    public string? ControllerId => Request.Tags.GetValueOrDefault(InstanceTags.ControllerId);

    public bool IsAgentReady => IsPast(_plan.AgentReadyAfter) && State != InstanceState.Terminated;

    public bool HasAddress => IsPast(_plan.AddressAfter);

    public DateTimeOffset? EndedAt => _endsAt is { } end && end <= _clock.GetUtcNow() ? end : null;

    public InstanceState State =>
        EndedAt is not null ? InstanceState.Terminated
        : _terminateAccepted is not null ? InstanceState.Terminating
        : IsPast(_plan.RunningAfter) ? InstanceState.Running
        : InstanceState.Pending;

    public void Terminate()
    {
        if (EndedAt is null && _terminateAccepted is null)
        {
            _terminateAccepted = _clock.GetUtcNow();
            EndAt(_terminateAccepted.Value + _plan.TerminationTime, "Client.UserInitiatedShutdown");
        }
    }

    public void Die(string reason)
    {
        if (EndedAt is null)
        {
            EndAt(_clock.GetUtcNow(), reason);
        }
    }

    public Instance ToInstance() => new()
    {
        Id = Id,
        State = State,
        InstanceType = Request.InstanceType,
        Zone = Request.Zone,
        CapacityType = Request.CapacityType,
        Address = HasAddress ? Address : null,
        PodAddress = HasAddress ? PodAddress : null,
        Tags = Request.Tags,
        LaunchedAt = LaunchedAt,
        StateReason = State >= InstanceState.Terminating ? _endReason : null,
    };

    public void Dispose()
    {
        _endTimer.Dispose();
        _ended.Dispose();
    }

    private bool IsPast(TimeSpan? after) => after is { } time && LaunchedAt + time <= _clock.GetUtcNow();

    private void EndAt(DateTimeOffset end, string reason)
    {
        if (_endsAt is { } known && known <= end)
        {
            return;
        }

        (_endsAt, _endReason) = (end, reason);
        var wait = end - _clock.GetUtcNow();
        _endTimer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
