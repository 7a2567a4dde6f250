using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Drivers;
using Kip.Pods;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <content>
/// Persistent volumes: attached before the agent is given the pod, each noted in the record before it is attached; taken off when the agent
/// has unmounted them. A cell that is lost keeps them until its instance has ended, which frees them: to pull a disk from under a file
/// system that may be mounted would lose what was written.
/// </content>
internal sealed partial class CellReconciler
{
    private static readonly TimeSpan DetachPatience = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _assigned = new(0);
    private readonly ConcurrentDictionary<string, AttachedDevice> _devices = new(StringComparer.Ordinal); // by name of the persistent volume
    private bool _unmounted;

    /// <summary>The assignment with the devices of its volumes; null while one is not attached.</summary>
    private PodAssignment? WithDevices(PodAssignment assignment)
    {
        var volumes = new List<PodPersistentVolume>();
        foreach (var volume in assignment.PersistentVolumes)
        {
            AttachedDevice? device = null;
            if (volume.IsDevice && !_devices.TryGetValue(volume.Volume.Metadata.Name!, out device))
            {
                return null;
            }

            volumes.Add(volume with { Device = device });
        }

        return assignment with { PersistentVolumes = volumes };
    }

    /// <summary>
    /// As long as an agent is connected: attaches what the pod needs and then gives it the pod. Meanwhile the pod can be stopped, and the
    /// cell be lost. Ends the connection when it fails.
    /// </summary>
    private async Task AttachAsync(ICellAgent agent, CancellationTokenSource connection)
    {
        var cancellationToken = connection.Token;
        try
        {
            while (true)
            {
                if (Record.State == CellState.Claimed && _cell.Assignment is { } assignment && WithDevices(assignment) is null)
                {
                    foreach (var volume in assignment.PersistentVolumes.Where(static v => v.IsDevice))
                    {
                        await AttachAsync(volume, cancellationToken).ConfigureAwait(false);
                    }

                    await ConveyAsync(agent, cancellationToken).ConfigureAwait(false);
                }

                await _assigned.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await connection.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task AttachAsync(PodPersistentVolume volume, CancellationToken cancellationToken)
    {
        var name = volume.Volume.Metadata.Name!;
        if (_devices.ContainsKey(name))
        {
            return;
        }

        await PersistAsync(
            async ct =>
            {
                var (attacher, wanted) = Identify(volume);
                if (Record.Volumes?.Contains(wanted) != true)
                {
                    await UpdateAsync(r => r with { Volumes = [.. r.Volumes ?? [], wanted] }, ct).ConfigureAwait(false);
                }

                await _context.Options.BeforeEffect(ct).ConfigureAwait(false);
                _devices[name] = await BoundedAsync(call => attacher.AttachAsync(Record.InstanceId!, wanted, volume.ReadOnly, call), ct).ConfigureAwait(false);
            },
            (e, _) => Tell("Warning", "FailedAttachVolume", $"AttachVolume.Attach failed for volume \"{name}\" : {e.Message}; tried again until it works"),
            cancellationToken).ConfigureAwait(false);
        Tell("Normal", "SuccessfulAttachVolume", $"AttachVolume.Attach succeeded for volume \"{name}\"");

        void Tell(string type, string reason, string message) => _cell.Publish(CellUpdateKind.PodEvent, new AgentEvent(0, Now, type, reason, message, null));
    }

    private (IVolumeAttacher Attacher, AttachableVolume Volume) Identify(PodPersistentVolume volume)
    {
        var attacher = _context.Driver.Volumes;
        var identified = VolumePlacement.Identify(volume, attacher, _context.Driver.Description.Name);
        return (attacher!, identified);
    }

    /// <summary>Takes off what the agent has unmounted, so that it is free before the instance has ended. What fails is freed by that end.</summary>
    private async Task DetachEarlyAsync(CancellationToken cancellationToken)
    {
        if (!_unmounted || Record.Volumes is null)
        {
            return;
        }

        using var limit = new CancellationTokenSource(DetachPatience, _context.Time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await DetachAsync(bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            LogStillAttached(Record.Id, DetachPatience);
            return;
        }

        await UpdateAsync(static r => r with { Volumes = null }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns when none of the cell's volumes is attached to its instance.</summary>
    private async Task DetachAsync(CancellationToken cancellationToken)
    {
        foreach (var volume in Record.Volumes ?? [])
        {
            // Where the driver has lost the ability there is nobody to ask.
            if (_context.Driver.Volumes is { } attacher && Record.InstanceId is { } instance)
            {
                await PersistAsync(
                    ct => ChangeAsync(call => attacher.DetachAsync(instance, volume, call), ct),
                    (e, pause) => LogDetachRetry(Record.Id, volume.Id, e.Message, pause),
                    cancellationToken).ConfigureAwait(false);
            }
        }
    }

    [LoggerMessage(13, LogLevel.Warning, "{CellId}: volume {VolumeId} could not be detached ({Problem}); tried again in {Pause}")]
    private partial void LogDetachRetry(string cellId, string volumeId, string problem, TimeSpan pause);

    [LoggerMessage(14, LogLevel.Warning, "{CellId}: its volumes did not come off within {Patience}; they do with the end of its instance")]
    private partial void LogStillAttached(string cellId, TimeSpan patience);
}
