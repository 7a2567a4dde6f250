using System.Text.Json;
using Kip.Agents;
using Kip.Cells;

namespace Kip.Testing;

/// <summary>The agent on a simulated machine. It outlives the connections to it, and its pod outlives its restarts.</summary>
internal sealed class ScriptedAgent(Machine machine, TimeProvider clock) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Signal _released = new();
    private readonly List<string> _images = [];
    private volatile PodRun? _run;
    private volatile bool _hangs;
    private volatile bool _enrolled;
    private CancellationTokenSource _connections = new();

    public Machine Machine => machine;

    public AgentJournal Journal { get; } = new(clock);

    public TimeProvider Clock => clock;

    public bool IsHanging => _hangs;

    public bool IsEnrolled => _enrolled;

    public PodRun? Run => _run;

    public string? PodUid => _run?.Uid;

    public bool IsPodAlive => _run is { IsFinished: false };

    /// <summary>The images that were pulled for pods to come.</summary>
    public IReadOnlyList<string> Images
    {
        get
        {
            lock (_gate)
            {
                return [.. _images];
            }
        }
    }

    public void AddImage(string image)
    {
        lock (_gate)
        {
            _images.Add(image);
        }
    }

    /// <summary>A token that is cancelled when the connections of now break.</summary>
    public CancellationToken Connect()
    {
        lock (_gate)
        {
            return _connections.Token;
        }
    }

    public void Disconnect()
    {
        CancellationTokenSource broken;
        lock (_gate)
        {
            (broken, _connections) = (_connections, new CancellationTokenSource());
        }

        broken.Cancel();
    }

    public void Restart()
    {
        Journal.Restart();
        Disconnect();
    }

    public void SetHanging(bool hangs)
    {
        _hangs = hangs;
        _released.Pulse();
    }

    public async Task WaitWhileHangingAsync(CancellationToken cancellationToken)
    {
        for (var released = _released.Next; _hangs; released = _released.Next)
        {
            await released.WaitAsync(cancellationToken);
        }

        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>What a simulated controller derives from its key.</summary>
    public static string TokenOf(CellRecord cell) => $"secret of {cell.Id}, launch {cell.LaunchToken}";

    /// <summary>Both sides prove themselves: the first time by the enrolment token, later by the certificate.</summary>
    public void Authenticate(CellRecord cell)
    {
        var (cellId, enrolmentToken) = ReadUserData();
        if (cellId != cell.Id)
        {
            throw new AgentException(AgentErrorKind.Untrusted, $"The agent at {cell.Address} is not that of {cell.Id}.");
        }

        lock (_gate)
        {
            if (!_enrolled && (cell.State >= CellState.Ready || enrolmentToken != TokenOf(cell)))
            {
                throw new AgentException(AgentErrorKind.Untrusted, $"The agent at {cell.Address} does not know the enrolment token of {cell.Id}.");
            }

            _enrolled = true;
        }
    }

    public void ApplyPod(PodAssignment assignment, PodScript script, SimulatedCloud cloud)
    {
        var uid = assignment.Pod.Metadata.Uid
            ?? throw new AgentException(AgentErrorKind.Refused, "The pod has no UID.");
        if (script.Refusal is { } refusal)
        {
            throw new AgentException(AgentErrorKind.Refused, refusal);
        }

        PodRun run;
        lock (_gate)
        {
            if (_run is { } present)
            {
                if (present.Uid == uid)
                {
                    return;
                }

                cloud.AddViolation($"{machine.Id} runs pod {present.Uid} and was given pod {uid} too.");
                throw new AgentException(AgentErrorKind.Refused, $"The cell is for pod {present.Uid}, not for {uid}.");
            }

            _run = run = new PodRun(uid, assignment, script, machine.Address, Journal, clock);
        }

        cloud.CheckOnlyHere(machine, uid);
        run.Start(machine.Ended);
    }

    public PodRun GetRun(string podUid) =>
        _run is { } run && run.Uid == podUid
            ? run
            : throw new AgentException(AgentErrorKind.NotFound, $"The cell does not know pod {podUid}.");

    public void Dispose()
    {
        Disconnect();
        _connections.Dispose();
    }

    private (string? CellId, string? EnrolmentToken) ReadUserData()
    {
        try
        {
            using var json = JsonDocument.Parse(machine.Request.UserData);
            return (Read(json, "cellId"), Read(json, "enrolmentToken"));
        }
        catch (JsonException)
        {
            // A machine that was booted with something else carries no agent of ours.
            return (null, null);
        }

        static string? Read(JsonDocument json, string name) =>
            json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
    }
}
