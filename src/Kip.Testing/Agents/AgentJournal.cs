using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.Testing;

/// <summary>What an agent has to tell: the pod's status as it is and, in order, each change and event.</summary>
internal sealed class AgentJournal(TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly List<AgentUpdate> _updates = [];
    private readonly Signal _changed = new();
    private PodStatus? _status;
    private AgentInterruption? _interruption;
    private long _sequence;
    private int _restarts;

    /// <summary>Names the agent process.</summary>
    public string Instance => $"agent-{Volatile.Read(ref _restarts)}";

    public Task Changed => _changed.Next;

    public void Publish(PodStatus status)
    {
        lock (_gate)
        {
            _status = status;
            _updates.Add(new AgentUpdate(status, null));
        }

        _changed.Pulse();
    }

    public void Publish(string type, string reason, string message, string? container)
    {
        lock (_gate)
        {
            _updates.Add(new AgentUpdate(null, new AgentEvent(++_sequence, clock.GetUtcNow(), type, reason, message, container)));
        }

        _changed.Pulse();
    }

    /// <summary>The machine has told the agent that it is taken back.</summary>
    public void Publish(AgentInterruption interruption)
    {
        lock (_gate)
        {
            _interruption = interruption;
            _updates.Add(new AgentUpdate(null, null, interruption));
        }

        _changed.Pulse();
    }

    /// <summary>The agent starts anew: the truth is learnt again from the runtime, past events are forgotten.</summary>
    public void Restart()
    {
        lock (_gate)
        {
            _updates.Clear();
            _sequence = 0;
            _restarts++;
        }
    }

    /// <summary>What a new stream begins with, and the position to read on from.</summary>
    public (IReadOnlyList<AgentUpdate> Updates, int Next) ReadAll(long afterEvent)
    {
        lock (_gate)
        {
            List<AgentUpdate> updates = [.. _updates.Where(update => update.Event?.Sequence > afterEvent)];
            if (_status is not null)
            {
                updates.Add(new AgentUpdate(_status, null));
            }

            if (_interruption is not null)
            {
                updates.Add(new AgentUpdate(null, null, _interruption));
            }

            return (updates, _updates.Count);
        }
    }

    /// <summary>What has come since a position.</summary>
    public (IReadOnlyList<AgentUpdate> Updates, int Next) ReadFrom(int position)
    {
        lock (_gate)
        {
            return ([.. _updates.Skip(position)], _updates.Count);
        }
    }
}
