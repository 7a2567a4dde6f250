using Kip.Agent.Volumes;

namespace Kip.Agent.Pods;

/// <summary>Volumes: made beside the sandbox, before the first container; filled anew whenever newer contents come.</summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan FirstVolumeBackoff = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan MaximumVolumeBackoff = TimeSpan.FromSeconds(16);

    /// <returns>Whether containers may be created.</returns>
    private bool DecideVolumes()
    {
        var pod = _pod!;
        var volumes = pod.Volumes;
        if (pod.Pod.Spec.Volumes is not { Count: > 0 })
        {
            return true;
        }

        if (volumes.Busy || volumes.Done == volumes.Wanted)
        {
            return volumes.Done > 0;
        }

        if (_time.GetUtcNow() < volumes.NotBefore)
        {
            WakeAt(volumes.NotBefore);
            return volumes.Done > 0;
        }

        var (source, contents, claims, wanted) = (pod.Pod, volumes.Contents, pod.Request.PersistentVolumes, volumes.Wanted);
        var podIP = source.Spec.HostNetwork == true ? _parts.Cell.HostIP : pod.PodIP.Length > 0 ? pod.PodIP : pod.Request.PodAddress;
        volumes.Busy = true;
        Begin(
            _ =>
            {
                _volumes.SetUp(source, contents, podIP, claims);
                return Task.FromResult(source);
            },
            (_, error) =>
            {
                volumes.Busy = false;
                if (error is null)
                {
                    volumes.Succeeded(wanted);
                    return;
                }

                volumes.Backoff = volumes.Backoff == TimeSpan.Zero ? FirstVolumeBackoff : volumes.Backoff * 2;
                volumes.Backoff = volumes.Backoff < MaximumVolumeBackoff ? volumes.Backoff : MaximumVolumeBackoff;
                volumes.NotBefore = _time.GetUtcNow() + volumes.Backoff;
                _parts.Board.Event("Warning", "FailedMount", error.Message);
                Trouble(error, "set up the volumes");
            });
        return volumes.Done > 0;
    }

    private void GiveBackHugePages()
    {
        try
        {
            new HugePages(_parts.Cell.HugePagesDirectory).Release(_pod!.Record.HugePages);
        }
        catch (IOException e)
        {
            // The cell ends with the pod, and its memory with the cell.
            Trouble(e, "give back the huge pages");
        }
    }

    /// <summary>Unmounts the volumes of a pod whose containers are gone.</summary>
    /// <returns>Whether they are still being made, or unmounted.</returns>
    private bool TearDownVolumes()
    {
        var pod = _pod!;
        if (pod.Volumes.Busy)
        {
            return true;
        }

        if (pod.Pod.Spec.Volumes is not { Count: > 0 } || pod.Volumes.Released)
        {
            return false;
        }

        IReadOnlyList<string> disks = [];
        try
        {
            disks = _volumes.TearDown(pod.Pod, pod.Request.PersistentVolumes);
        }
        catch (IOException e)
        {
            // The cell ends with the pod, and its mounts with the cell.
            Trouble(e, "unmount the volumes");
        }

        if (disks.Count == 0)
        {
            return false;
        }

        // What is not on a disk yet is written now, which may take its time.
        pod.Volumes.Busy = true;
        Begin(
            async token =>
            {
                foreach (var disk in disks)
                {
                    try
                    {
                        await _volumes.UnmountDiskAsync(disk, token);
                    }
                    catch (IOException e)
                    {
                        Trouble(e, "unmount a disk");
                    }
                }

                return disks;
            },
            (_, _) => (pod.Volumes.Busy, pod.Volumes.Released) = (false, true));
        return true;
    }
}
