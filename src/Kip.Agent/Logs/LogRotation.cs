using Kip.Agent.Runtime;

namespace Kip.Agent.Logs;

/// <summary>Keeps the log of a run within 5 files of 10 MiB, as the kubelet does by default.</summary>
internal sealed class LogRotation(ICriRuntime runtime, TimeProvider time, long maximumBytes = 10 << 20, int maximumFiles = 5)
{
    /// <summary>Starts a new file if the present one is full.</summary>
    public async Task RotateAsync(string directory, string container, uint run, string containerId, CancellationToken cancellationToken)
    {
        var current = LogFiles.Current(directory, container, run);
        var file = new FileInfo(current);
        if (!file.Exists || file.Length <= maximumBytes)
        {
            return;
        }

        var old = LogFiles.AllRotated(current);
        foreach (var path in old.Take(old.Count - (maximumFiles - 2)))
        {
            File.Delete(path);
        }

        var rotated = LogFiles.Rotated(current, time.GetUtcNow());
        File.Move(current, rotated);
        try
        {
            await runtime.ReopenContainerLogAsync(containerId, cancellationToken);
        }
        catch
        {
            // The runtime writes on into the renamed file; give it its name back so that readers find it.
            if (!File.Exists(current))
            {
                File.Move(rotated, current);
            }

            throw;
        }
    }

    /// <summary>Removes everything that a run has written.</summary>
    public static void Delete(string directory, string container, uint run)
    {
        var current = LogFiles.Current(directory, container, run);
        foreach (var path in LogFiles.AllRotated(current).Append(current))
        {
            File.Delete(path);
        }
    }
}
