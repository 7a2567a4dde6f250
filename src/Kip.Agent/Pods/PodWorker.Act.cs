using Kip.Agent.Cgroups;
using Kip.Agent.Logs;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Volumes;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>The operations that change the runtime. Each runs beside the loop, with copies of what it needs.</summary>
internal sealed partial class PodWorker
{
    // The kubelet looks every 10 s, in which a container can write gigabytes beyond the limit to the disk.
    private static readonly TimeSpan RotateInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstSandboxBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaximumSandboxBackoff = TimeSpan.FromSeconds(16);

    private void CreateSandbox(uint attempt)
    {
        var pod = _pod!;
        var config = SandboxPlan.ToCri(pod.Pod, attempt, _parts.Cell);
        var address = pod.Request.PodAddress;
        var hostNetwork = pod.Pod.Spec.HostNetwork == true;
        var handler = SandboxPlan.Handler(pod.Pod, pod.Request.RuntimeHandler);
        var (spec, pages, added) = (pod.Pod.Spec, new HugePages(_parts.Cell.HugePagesDirectory), pod.Record.HugePages.ToDictionary());
        var pulls = pod.Pulls.Token;
        pod.SandboxBusy = true;
        Begin(
            async token =>
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(token, pulls);
                // The sandbox has an image too.
                await _parts.Images.ArchivesImported.WaitAsync(either.Token);
                if (!hostNetwork)
                {
                    await _parts.Network.PrepareAsync(address, config.PortMappings.Count > 0, either.Token);
                }

                pages.Reserve(spec, added);
                new PodCgroup(new CgroupHierarchies(_parts.Cell.CgroupRoot)).Apply(config.Linux.CgroupParent, spec.Resources);
                Directory.CreateDirectory(config.LogDirectory);
                return await _parts.Runtime.RunPodSandboxAsync(config, handler, token);
            },
            (_, error) =>
            {
                pod.SandboxBusy = false;
                if (added.Count > 0)
                {
                    pod.Record.HugePages.Clear();
                    pod.Record.HugePages.Add(added);
                    Save();
                }

                if (error is null)
                {
                    pod.SandboxBackoff = TimeSpan.Zero;
                    _parts.Board.Event("Normal", "SandboxReady", "Pod sandbox is ready");
                }
                else if (!IsTransient(error))
                {
                    pod.SandboxBackoff = pod.SandboxBackoff == TimeSpan.Zero ? FirstSandboxBackoff : pod.SandboxBackoff * 2;
                    pod.SandboxBackoff = pod.SandboxBackoff < MaximumSandboxBackoff ? pod.SandboxBackoff : MaximumSandboxBackoff;
                    pod.SandboxNotBefore = _time.GetUtcNow() + pod.SandboxBackoff;
                    _parts.Board.Event("Warning", "FailedCreatePodSandBox", $"Failed to create pod sandbox: {Text(error)}");
                    Trouble(error, "create the sandbox");
                }
            });
    }

    /// <returns>Whether there was one that had not been stopped.</returns>
    private bool StopSandboxes(Observation observation)
    {
        var pod = _pod!;
        var rest = observation.Sandboxes.Select(sandbox => sandbox.Id).Where(id => !pod.StoppedSandboxes.Contains(id)).ToArray();
        if (rest.Length == 0)
        {
            return false;
        }

        pod.SandboxBusy = true;
        Begin(
            async token =>
            {
                await Task.WhenAll(rest.Select(id => _parts.Runtime.StopPodSandboxAsync(id, token)));
                return rest;
            },
            (stopped, error) =>
            {
                pod.SandboxBusy = false;
                pod.StoppedSandboxes.UnionWith(stopped ?? []);
                if (error is not null)
                {
                    Trouble(error, "stop the sandbox");
                    Pause();
                }
            });
        return true;
    }

    /// <summary>Pulls, creates and starts; a run that exists already is only started.</summary>
    private void Start(ContainerSlot slot, string? createdId)
    {
        var pod = _pod!;
        var (spec, source, sandboxId, podIP) = (slot.Spec, pod.Pod, pod.Sandbox!.Id, pod.PodIP);
        var (credentials, attempt) = (pod.Request.Credentials, slot.Record.Runs);
        var targetId = TargetId(spec);
        var sandboxConfig = SandboxPlan.ToCri(source, pod.Sandbox.Metadata.Attempt, _parts.Cell);
        var pulls = pod.Pulls.Token;
        slot.Starting = true;
        slot.InForce = createdId is null ? spec.Resources ?? new() : slot.InForce;
        slot.ResizeProblem = null;
        slot.Waiting = slot.FailedAt is null ? null : slot.Waiting;
        Begin(
            async token =>
            {
                var id = createdId;
                if (id is null)
                {
                    using var either = CancellationTokenSource.CreateLinkedTokenSource(token, pulls);
                    var image = await _parts.Images.EnsureAsync(spec, credentials, sandboxConfig, either.Token);
                    either.Token.ThrowIfCancellationRequested();
                    id = await CreateAsync(source, spec, attempt, image, sandboxId, sandboxConfig, podIP, targetId, token);
                }

                await StartAsync(spec, id, token);
                return id;
            },
            (_, error) => Started(slot, attempt, error));
    }

    /// <summary>The run whose processes an ephemeral container is to see; null when it names none, or that does not run.</summary>
    private string? TargetId(Kubernetes.Objects.Container spec) =>
        (spec as EphemeralContainer)?.TargetContainerName is { Length: > 0 } name
            ? _pod!.Slots.FirstOrDefault(slot => slot.Name == name)?.Run is { IsRunning: true } run ? run.Id : null
            : null;

    private async Task<string> CreateAsync(
        Pod pod,
        Kubernetes.Objects.Container spec,
        uint attempt,
        PulledImage image,
        string sandboxId,
        PodSandboxConfig sandboxConfig,
        string podIP,
        string? targetId,
        CancellationToken cancellationToken)
    {
        try
        {
            var address = pod.Spec.HostNetwork == true ? _parts.Cell.HostIP : podIP;
            var environment = ContainerPlan.Expand(pod, spec, address, _parts.Cell).Env;
            var mounts = _files.Prepare(pod, spec, attempt, address).Concat(_volumes.Mounts(pod, spec, environment));
            var config = ContainerPlan.ToCri(pod, spec, attempt, image, mounts, address, _parts.Cell);
            config.Devices.AddRange(_volumes.Devices(pod, spec));
            ContainerPlan.Target(config, spec, targetId);
            var id = await _parts.Runtime.CreateContainerAsync(sandboxId, config, sandboxConfig, cancellationToken);
            _parts.Board.Event("Normal", "Created", $"Created container: {spec.Name}", spec.Name);
            return id;
        }
        catch (VolumeException e)
        {
            _parts.Board.Event("Warning", "Failed", $"Error: {e.Message}", spec.Name);
            throw new ContainerStartException(WaitingReason.CreateContainerConfigError, e.Message, e);
        }
        catch (Exception e) when (e is ContainerStartException or IOException || (e is RpcException && !IsTransient(e)))
        {
            _parts.Board.Event("Warning", "Failed", $"Error: {Text(e)}", spec.Name);
            throw e as ContainerStartException ?? new ContainerStartException(WaitingReason.CreateContainerError, Text(e), e);
        }
    }

    private async Task StartAsync(Kubernetes.Objects.Container spec, string id, CancellationToken cancellationToken)
    {
        try
        {
            await _parts.Runtime.StartContainerAsync(id, cancellationToken);
            _parts.Board.Event("Normal", "Started", $"Started container {spec.Name}", spec.Name);
        }
        catch (RpcException e) when (!IsTransient(e))
        {
            _parts.Board.Event("Warning", "Failed", $"Error: {Text(e)}", spec.Name);
            throw new ContainerStartException(WaitingReason.RunContainerError, Text(e), e);
        }
    }

    private void Started(ContainerSlot slot, uint attempt, Exception? error)
    {
        slot.Starting = false;
        var reason = (error as ContainerStartException)?.Reason ?? WaitingReason.CreateContainerError;
        if (error is null || reason == WaitingReason.RunContainerError)
        {
            // Either way there was a run: if it could not start, the runtime shows it as ended, with the reason.
            slot.FailedAt = null;
            slot.StartBackoff = TimeSpan.Zero;
            slot.Waiting = null;
            if (attempt > 0 && !slot.Replacing)
            {
                slot.Record.BackoffMs = (long)Backoff.Next(TimeSpan.FromMilliseconds(slot.Record.BackoffMs)).TotalMilliseconds;
            }

            slot.Replacing = false;
            if (error is not null)
            {
                slot.Waiting = new ContainerStateWaiting { Reason = reason, Message = error.Message };
                slot.ResumeAt = _time.GetUtcNow() + Backoff.Initial;
            }
        }
        else if (IsTransient(error))
        {
            Pause();
        }
        else
        {
            slot.FailedAt = _time.GetUtcNow();
            slot.StartBackoff = Backoff.Next(slot.StartBackoff);
            slot.NotBefore = slot.FailedAt.Value + slot.StartBackoff;
            slot.Waiting = new ContainerStateWaiting { Reason = reason, Message = Text(error) };
        }
    }

    /// <summary>Ends a container by a time; does nothing when that is under way already.</summary>
    private void StopContainer(ContainerSlot slot, DateTimeOffset deadline, string why)
    {
        if (slot.StoppingUntil <= deadline || slot.Run is null)
        {
            return;
        }

        if (!slot.Stopped)
        {
            _parts.Board.Event("Normal", "Killing", why, slot.Name);
        }

        var id = slot.Run.Id;
        var remaining = deadline - _time.GetUtcNow();
        slot.StoppingUntil = deadline;
        slot.Stopped = true;
        slot.Hooks.AbandonPostStart();
        BeginPreStop(slot, deadline);
        var preStop = slot.Hooks.PreStop?.Task;
        var (signal, runEnded) = (StopSignals.Of(slot.Spec), slot.Hooks.RunEnded);
        Begin(
            async token =>
            {
                var grace = remaining <= TimeSpan.Zero ? TimeSpan.Zero
                    : preStop is null ? remaining
                    : await AfterPreStopAsync(preStop, remaining, deadline, token);
                grace = signal is null || grace <= TimeSpan.Zero ? grace : await SignalAsync(id, signal.Value, grace, runEnded, token);
                await _parts.Runtime.StopContainerAsync(id, grace, token);
                return id;
            },
            (_, error) =>
            {
                slot.StoppingUntil = slot.StoppingUntil == deadline ? null : slot.StoppingUntil;
                if (error is not null)
                {
                    Trouble(error, $"stop container {slot.Name}");
                    Pause();
                }
            });
    }

    /// <summary>Sends the signal that the container asks for, which CRI knows nothing of, and waits for its end.</summary>
    /// <returns>What is left of its time: nothing.</returns>
    private async Task<TimeSpan> SignalAsync(string id, int signal, TimeSpan grace, CancellationToken runEnded, CancellationToken cancellationToken)
    {
        try
        {
            await _parts.Runtime.SignalContainerAsync(id, signal, cancellationToken);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(runEnded, cancellationToken);
            await Task.Delay(grace < LongestHook ? grace : LongestHook, _time, either.Token);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            // It has ended by itself.
        }
        catch (OperationCanceledException) when (runEnded.IsCancellationRequested)
        {
            // It has obeyed.
        }

        return TimeSpan.Zero;
    }

    /// <summary>Removes what nobody asks for any more: of each container all runs but the last two, and sandboxes before the present one.</summary>
    private void CleanUp(Observation observation)
    {
        var pod = _pod!;
        var sandboxes = observation.Sandboxes.Select(sandbox => sandbox.Id).Where(id => pod.Sandbox is not null && id != pod.Sandbox.Id).ToArray();
        var runs = (
            from run in observation.Runs
            from slot in pod.Slots
            where run.Status.Metadata.Name == slot.Name && run.Attempt + 2 < slot.Record.Runs
            select (run.Id, slot.Name, run.Attempt)).ToArray();
        if (pod.CleaningUp || sandboxes.Length + runs.Length == 0)
        {
            return;
        }

        pod.CleaningUp = true;
        var source = pod.Pod;
        var logs = PodIdentity.LogDirectory(_parts.Cell.LogDirectory, source);
        Begin(
            async token =>
            {
                foreach (var (id, name, attempt) in runs)
                {
                    await _parts.Runtime.RemoveContainerAsync(id, token);
                    LogRotation.Delete(logs, name, attempt);
                    _files.Forget(source, name, attempt);
                }

                foreach (var id in sandboxes)
                {
                    await _parts.Runtime.StopPodSandboxAsync(id, token);
                    await _parts.Runtime.RemovePodSandboxAsync(id, token);
                }

                return logs;
            },
            (_, error) =>
            {
                pod.CleaningUp = false;
                if (error is not null)
                {
                    Trouble(error, "remove old containers");
                    Pause();
                }
            });
    }

    private void RotateLogs()
    {
        var pod = _pod!;
        var now = _time.GetUtcNow();
        if (now < pod.RotateAt)
        {
            return;
        }

        pod.RotateAt = now + RotateInterval;
        var directory = PodIdentity.LogDirectory(_parts.Cell.LogDirectory, pod.Pod);
        foreach (var slot in pod.Slots.Where(slot => slot.IsRunning))
        {
            var (name, attempt, id) = (slot.Name, slot.Run!.Attempt, slot.Run.Id);
            Begin(
                async token =>
                {
                    await _rotation.RotateAsync(directory, name, attempt, id, token);
                    return id;
                },
                (_, error) =>
                {
                    if (error is not null)
                    {
                        Trouble(error, $"rotate the log of {name}");
                    }
                },
                countsAsChange: false);
        }
    }

    /// <summary>After a failure that may pass by itself: the next look waits for its turn instead of following at once.</summary>
    private void Pause() => _lookAgain = false;

    private static string Text(Exception error) => error is RpcException rpc ? rpc.Status.Detail : error.Message;

    /// <summary>It says nothing about the pod: the runtime was away, or nobody wants the result any more.</summary>
    private static bool IsTransient(Exception error) =>
        error is OperationCanceledException or RpcException { StatusCode: StatusCode.Unavailable or StatusCode.Cancelled };
}
