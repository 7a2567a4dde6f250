namespace Kip.Agent.Logs;

/// <summary>
/// Tells whether a log file is still being written. When CRI says that a container has exited, containerd may not yet have copied the
/// rest of its output to the file; it closes the file when it has, and that shows in /proc.
/// </summary>
internal static class LogWriters
{
    /// <summary>Whether a process other than this one has the file open.</summary>
    /// <param name="path">Without symbolic links.</param>
    public static bool Any(string path)
    {
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process.AsSpan()), out var id) && id != Environment.ProcessId && HasOpen(process, path))
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasOpen(string process, string path)
    {
        try
        {
            foreach (var descriptor in Directory.EnumerateFileSystemEntries(Path.Combine(process, "fd")))
            {
                if (File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName == path)
                {
                    return true;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process, or the descriptor, went away while it was looked at: then it does not write.
        }

        return false;
    }
}
