using Kip.Kubernetes.Objects;

namespace Kip.Testing;

/// <summary>One container of a <see cref="PodRun"/>: its script, what it does now, and its log. Guarded by the pod's lock.</summary>
internal sealed class ContainerRun(Container container, ContainerScript script, string restartPolicy)
{
    private readonly Signal _changed = new();

    public Container Container => container;

    public ContainerScript Script => script;

    public ContainerLog Log { get; } = new(container.Name);

    public Task Changed => _changed.Next;

    public ContainerState State { get; private set; } = MakeWaiting("ContainerCreating", null);

    public ContainerState? LastState { get; private set; }

    public int Restarts { get; private set; }

    /// <summary>Whether it will not run again.</summary>
    public bool IsFinished { get; private set; }

    public bool HasRun => State.Running is not null || State.Terminated is not null || LastState is not null;

    public bool Succeeded => IsFinished && State.Terminated is { ExitCode: 0 };

    public TimeSpan BackOff => TimeSpan.FromSeconds(Math.Min(300, 10 * Math.Pow(2, Restarts)));

    public int NextExitCode => script.ExitCodes.Count == 0 ? 0 : script.ExitCodes[Math.Min(Restarts, script.ExitCodes.Count - 1)];

    public static bool IsSidecar(Container container) => container.RestartPolicy == RestartPolicy.Always;

    public bool RestartsAfter(int exitCode) => restartPolicy switch
    {
        RestartPolicy.Never => false,
        RestartPolicy.OnFailure => exitCode != 0,
        _ => true,
    };

    public void Wait(string reason, string? message)
    {
        LastState = State.Terminated is null ? LastState : State;
        State = MakeWaiting(reason, message);
    }

    public void Begin(DateTimeOffset time)
    {
        if (LastState is not null)
        {
            Restarts++;
        }

        State = new ContainerState { Running = new ContainerStateRunning { StartedAt = time } };
        Log.BeginRun();
    }

    public void End(int exitCode, string reason, DateTimeOffset time) => State = new ContainerState
    {
        Terminated = new ContainerStateTerminated
        {
            ExitCode = exitCode,
            Reason = reason,
            StartedAt = State.Running?.StartedAt,
            FinishedAt = time,
        },
    };

    /// <summary>The pod ends while the container waits: what counts is its last run, or that it never ran.</summary>
    public void Abandon(DateTimeOffset time)
    {
        if (LastState is { } last && State.Terminated is null)
        {
            (State, LastState) = (last, null);
        }
        else if (State.Terminated is null)
        {
            // As the kubelet reports containers that a stop has kept from ever running.
            End(137, "ContainerStatusUnknown", time);
        }
    }

    public void Finish()
    {
        IsFinished = true;
        Log.Complete();
    }

    public void Write(string line, DateTimeOffset time) => Log.Write(line, time);

    public void Pulse() => _changed.Pulse();

    public ContainerStatus ToStatus() => new()
    {
        Name = container.Name,
        Image = container.Image ?? "",
        ImageID = HasRun ? $"{container.Image}@sha256:{new string('0', 64)}" : "",
        ContainerID = HasRun ? $"simulated://{container.Name}-{Restarts}" : null,
        State = State,
        LastState = LastState,
        Ready = State.Running is not null,
        Started = State.Running is not null,
        RestartCount = Restarts,
    };

    private static ContainerState MakeWaiting(string reason, string? message) =>
        new() { Waiting = new ContainerStateWaiting { Reason = reason, Message = message } };
}
