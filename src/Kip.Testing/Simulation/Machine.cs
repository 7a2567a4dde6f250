using Kip.Agents;
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
    private readonly Action<Machine, DateTimeOffset> _onEnding;
    private Instance? _shown;
    private DateTimeOffset? _terminateAccepted;
    private DateTimeOffset? _endsAt;
    private string? _endReason;

    /// <param name="id">Its identifier.</param>
    /// <param name="address">Address of its agent.</param>
    /// <param name="podAddress">Address of its pod.</param>
    /// <param name="request">The launch that makes it.</param>
    /// <param name="plan">How it fares.</param>
    /// <param name="clock">The time it lives in.</param>
    /// <param name="planted">Whether nobody has launched it.</param>
    /// <param name="onEnding">Told when it will have ended, each time that this changes.</param>
    public Machine(string id, string address, string? podAddress, LaunchRequest request, InstancePlan plan, TimeProvider clock, bool planted, Action<Machine, DateTimeOffset> onEnding)
    {
        _onEnding = onEnding;
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

    /// <summary>Whether the cloud counts it as alive.</summary>
    public bool IsCounted { get; set; }

    /// <summary>When the cloud takes it back, as it has told the agent.</summary>
    public DateTimeOffset? ReclaimedAt { get; private set; }

    public DateTimeOffset LaunchedAt { get; }

    public ScriptedAgent Agent { get; }

    /// <summary>Cancelled when the machine is no more.</summary>
    public CancellationToken Ended => _ended.Token;

    public string? ControllerId => Request.Tags.GetValueOrDefault(InstanceTags.ControllerId);

    public bool IsAgentReady => IsPast(_plan.AgentReadyAfter) && State != InstanceState.Terminated;

    public bool HasAddress => IsPast(_plan.AddressAfter);

    public DateTimeOffset? EndedAt => _endsAt is { } end && end <= _clock.GetUtcNow() ? end : null;

    public InstanceState State => StateAt(_clock.GetUtcNow());

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

    public void Reclaim(TimeSpan notice)
    {
        if (EndedAt is null)
        {
            ReclaimedAt = _clock.GetUtcNow() + notice;
            EndAt(ReclaimedAt.Value, "Server.SpotInstanceTermination: the cloud has taken the capacity back");
            Agent.Journal.Publish(new AgentInterruption(ReclaimedAt.Value, "the cloud needs the capacity"));
        }
    }

    /// <summary>As the cloud shows it, with the state that it had a while ago.</summary>
    public Instance ToInstance(TimeSpan stateLag = default)
    {
        var state = StateAt(_clock.GetUtcNow() - stateLag);
        var reason = state >= InstanceState.Terminating ? _endReason : null;
        if (_shown is null || _shown.State != state || (_shown.Address is not null) != HasAddress || _shown.StateReason != reason)
        {
            _shown = new Instance
            {
                Id = Id,
                State = state,
                InstanceType = Request.InstanceType,
                Zone = Request.Zone,
                CapacityType = Request.CapacityType,
                Address = HasAddress ? Address : null,
                PodAddress = HasAddress ? PodAddress : null,
                Tags = Request.Tags,
                LaunchedAt = LaunchedAt,
                StateReason = reason,
            };
        }

        return _shown;
    }

    public void Dispose()
    {
        _endTimer.Dispose();
        _ended.Dispose();
    }

    private InstanceState StateAt(DateTimeOffset time) =>
        _endsAt <= time ? InstanceState.Terminated
        : _terminateAccepted <= time ? InstanceState.Terminating
        : _plan.RunningAfter is { } after && LaunchedAt + after <= time ? InstanceState.Running
        : InstanceState.Pending;

    private bool IsPast(TimeSpan? after) => after is { } time && LaunchedAt + time <= _clock.GetUtcNow();

    private void EndAt(DateTimeOffset end, string reason)
    {
        if (_endsAt is { } known && known <= end)
        {
            return;
        }

        (_endsAt, _endReason) = (end, reason);
        _onEnding(this, end);
        var wait = end - _clock.GetUtcNow();
        _endTimer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
