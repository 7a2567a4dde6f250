using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.Testing;

/// <summary>A pod on a simulated cell: acts out its script and tells the journal, in the order in which a real agent does.</summary>
internal sealed class PodRun
{
    private readonly Lock _gate = new();
    private readonly PodAssignment _assignment;
    private readonly PodScript _script;
    private readonly AgentJournal _journal;
    private readonly TimeProvider _clock;
    private readonly PodStatusBuilder _status;
    private readonly List<ContainerRun> _initContainers;
    private readonly List<ContainerRun> _containers;
    private readonly PodStop _stop;
    private readonly PodStop _sidecarStop;
    private volatile bool _isFinished;

    public PodRun(string uid, PodAssignment assignment, PodScript script, string cellAddress, AgentJournal journal, TimeProvider clock)
    {
        (Uid, _assignment, _script, _journal, _clock) = (uid, assignment, script, journal, clock);
        var spec = assignment.Pod.Spec;
        var policy = spec.RestartPolicy ?? RestartPolicy.Always;

        // An init container is repeated until it succeeds unless nothing is to be repeated.
        var initPolicy = policy == RestartPolicy.Never ? RestartPolicy.Never : RestartPolicy.OnFailure;
        _initContainers = [.. (spec.InitContainers ?? []).Select(
            container => Make(container, ContainerRun.IsSidecar(container) ? RestartPolicy.Always : initPolicy))];
        _containers = [.. spec.Containers.Select(container => Make(container, policy))];
        _status = new PodStatusBuilder(cellAddress, assignment.PodAddress ?? cellAddress, clock);
        _stop = new PodStop(clock);
        _sidecarStop = new PodStop(clock);
    }

    public string Uid { get; }

    public bool IsFinished => _isFinished;

    public ContainerRun GetContainer(string name) =>
        _initContainers.Concat(_containers).FirstOrDefault(container => container.Container.Name == name)
            ?? throw new AgentException(AgentErrorKind.NotFound, $"Pod {_assignment.Pod.Metadata.Name} has no container {name}.");

    public void Start(CancellationToken machineEnded) => _ = ActAsync(machineEnded);

    public void Stop(TimeSpan gracePeriod) => _stop.Request(gracePeriod);

    private ContainerRun Make(Container container, string restartPolicy) =>
        new(container, _script.Containers.GetValueOrDefault(container.Name) ?? _script.Default, restartPolicy);

    private async Task ActAsync(CancellationToken machineEnded)
    {
        try
        {
            Publish();
            if (await _stop.SleepAsync(_script.SandboxTime, machineEnded))
            {
                _status.HasSandbox = true;
                _journal.Publish("Normal", "SandboxReady", "Sandbox is ready", null);
                Publish();
                await RunContainersAsync(machineEnded);
            }

            Finish();
        }
        catch (OperationCanceledException) when (machineEnded.IsCancellationRequested)
        {
            // The machine is no more; nobody is left to tell.
        }
    }

    private async Task RunContainersAsync(CancellationToken machineEnded)
    {
        List<Task> sidecars = [];
        foreach (var container in _initContainers)
        {
            if (ContainerRun.IsSidecar(container.Container))
            {
                sidecars.Add(RunAsync(container, _sidecarStop, machineEnded));
            }
            else
            {
                await RunAsync(container, _stop, machineEnded);
                if (!container.Succeeded)
                {
                    break;
                }
            }
        }

        if (_initContainers.TrueForAll(container => container.Succeeded || ContainerRun.IsSidecar(container.Container)))
        {
            _status.IsInitialized = true;
            Publish();
            await Task.WhenAll(_containers.Select(container => RunAsync(container, _stop, machineEnded)));
        }

        _sidecarStop.Request(_stop.Remaining ?? TimeSpan.FromSeconds(_assignment.Pod.Spec.TerminationGracePeriodSeconds ?? 30));
        await Task.WhenAll(sidecars);
    }

    private async Task RunAsync(ContainerRun container, PodStop stop, CancellationToken machineEnded)
    {
        if (await PullAsync(container, stop, machineEnded))
        {
            while (await RunOnceAsync(container, stop, machineEnded))
            {
                var backOff = container.BackOff;
                Change(container, () => container.Wait("CrashLoopBackOff", $"back-off {backOff.TotalSeconds:0}s restarting failed container"));
                Tell(container, "Warning", "BackOff", $"Back-off restarting failed container {container.Container.Name}");
                if (!await stop.SleepAsync(backOff, machineEnded))
                {
                    break;
                }
            }
        }

        Change(container, container.Finish);
    }

    private async Task<bool> PullAsync(ContainerRun container, PodStop stop, CancellationToken machineEnded)
    {
        var (image, script) = (container.Container.Image, container.Script);
        Tell(container, "Normal", "Pulling", $"Pulling image \"{image}\"");
        var notStopped = await stop.SleepAsync(script.PullTime, machineEnded);
        if (notStopped && script.PullError is { } error)
        {
            Tell(container, "Warning", "Failed", $"Failed to pull image \"{image}\": {error}");
            Change(container, () => container.Wait("ErrImagePull", error));
            return await stop.SleepAsync(null, machineEnded);
        }

        if (notStopped)
        {
            Tell(container, "Normal", "Pulled", $"Successfully pulled image \"{image}\" in {script.PullTime.TotalSeconds:0.###}s");
        }

        return notStopped;
    }

    /// <summary>One run from created to exited; true when another is to follow.</summary>
    private async Task<bool> RunOnceAsync(ContainerRun container, PodStop stop, CancellationToken machineEnded)
    {
        var (name, script) = (container.Container.Name, container.Script);
        Tell(container, "Normal", "Created", $"Created container {name}");
        if (!await stop.SleepAsync(script.StartTime, machineEnded))
        {
            return false;
        }

        Change(container, () => container.Begin(_clock.GetUtcNow()));
        Tell(container, "Normal", "Started", $"Started container {name}");
        var exitCode = container.NextExitCode;
        var wasStopped = !await WriteAndSleepAsync(container, stop, machineEnded);
        if (wasStopped)
        {
            Tell(container, "Normal", "Killing", $"Stopping container {name}");
            exitCode = await stop.WaitForExitAsync(script.StopTime, machineEnded) ? script.StopExitCode : 137;
        }

        Change(container, () => container.End(exitCode, exitCode == 0 ? "Completed" : script.FailureReason, _clock.GetUtcNow()));
        return !wasStopped && !stop.IsRequested && container.RestartsAfter(exitCode);
    }

    private async Task<bool> WriteAndSleepAsync(ContainerRun container, PodStop stop, CancellationToken machineEnded)
    {
        var script = container.Script;
        var pause = script.RunTime is { } time ? time / (script.LogLines.Count + 1) : TimeSpan.Zero;
        foreach (var line in script.LogLines)
        {
            container.Write(line, _clock.GetUtcNow());
            container.Pulse();
            if (!await stop.SleepAsync(pause, machineEnded))
            {
                return false;
            }
        }

        return await stop.SleepAsync(script.RunTime is null ? null : pause, machineEnded);
    }

    private void Finish()
    {
        List<ContainerRun> all = [.. _initContainers, .. _containers];
        lock (_gate)
        {
            foreach (var container in all)
            {
                container.Abandon(_clock.GetUtcNow());
                container.Finish();
            }
        }

        all.ForEach(container => container.Pulse());
        _isFinished = true;
        Publish();
    }

    private void Change(ContainerRun container, Action change)
    {
        lock (_gate)
        {
            change();
        }

        container.Pulse();
        Publish();
    }

    private void Tell(ContainerRun container, string type, string reason, string message) =>
        _journal.Publish(type, reason, message, container.Container.Name);

    private void Publish()
    {
        lock (_gate)
        {
            _journal.Publish(_status.Build(_initContainers, _containers, _isFinished));
        }
    }
}
