using Kip.Drivers.Local.Host;
using Kip.Drivers.Local.Networking;
using Kip.Drivers.Local.Volumes;

namespace Kip.Drivers.Local.Instances;

/// <summary>
/// Ends a cell and removes all of it, whatever state it is in. Every step may find its work done, so that removing can be repeated after
/// it was cut off anywhere, and be done by two processes at once.
/// </summary>
internal sealed class InstanceRemover(InstanceStore store, Bridge bridge, Cgroups cgroups, LocalVolumes volumes, TimeProvider timeProvider)
{
    private static readonly TimeSpan LaunchPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LoopPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Ends and removes a cell; nothing happens when it is gone.</summary>
    public async Task RemoveAsync(InstanceDirectory cell, CancellationToken cancellationToken)
    {
        var (state, reason) = cell.ReadState();
        cell.MarkTerminating();
        FileLock held;
        try
        {
            // Who launches the cell holds this: nothing can be added to it from here on.
            held = await FileLock.AcquireAsync(cell.LockFile, LaunchPatience, timeProvider, cancellationToken);
        }
        catch (DirectoryNotFoundException)
        {
            return;
        }

        using (held)
        {
            await RemoveLockedAsync(cell, state == InstanceState.Terminated ? reason : null, remember: true, cancellationToken);
        }
    }

    /// <summary>Removes a cell that the caller has locked.</summary>
    public async Task RemoveLockedAsync(InstanceDirectory cell, string? reason, bool remember, CancellationToken cancellationToken)
    {
        if (cell.ReadInit() is { } init && init.IsAlive())
        {
            // With PID 1 of a PID namespace the kernel ends everything in it.
            ProcessIdentity.Kill(init.Id);
        }

        await cgroups.KillAsync(cell.Id, timeProvider, cancellationToken);
        await Task.WhenAll(
            bridge.DisconnectAsync(InstanceLauncher.LinkName(cell.Id), cancellationToken),
            WaitForLoopDeviceAsync(cell, cancellationToken),
            cgroups.RemoveAsync(cell.Id, timeProvider, cancellationToken));

        // First of all the files: on a full disk there is no room for a memory of the cell otherwise.
        File.Delete(cell.DiskFile);
        string? grave;
        using (var all = await store.LockAsync(cancellationToken))
        {
            // Here, where nobody attaches another one.
            await volumes.ReleaseAsync(cell, cancellationToken);
            var isLast = !store.ListAll().Any(other => other.Path != cell.Path);
            if (isLast)
            {
                await bridge.RemoveAsync(cancellationToken);
                cgroups.RemoveRootIfEmpty();
            }

            grave = remember ? store.Retire(cell, reason) : store.Discard(cell);
            if (isLast)
            {
                all.DeleteFile();
            }
        }

        if (grave is not null)
        {
            InstanceStore.Delete(grave);
        }
    }

    // The kernel detaches the disk's loop device when the mount namespace is gone, a moment after its last process.
    private async Task WaitForLoopDeviceAsync(InstanceDirectory cell, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        while (LoopDevices.Of(cell.DiskFile) is [var device, ..])
        {
            if (timeProvider.GetElapsedTime(start) > LoopPatience)
            {
                throw new DriverException(DriverErrorKind.Transient, $"the disk {cell.DiskFile} stays in use by {device}");
            }

            await Task.Delay(Pause, timeProvider, cancellationToken);
        }
    }
}
