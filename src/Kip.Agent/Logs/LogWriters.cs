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
            return Directory.EnumerateFileSystemEntries(Path.Combine(process, "fd")).Any(descriptor => LeadsTo(descriptor, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // the process went away while it was looked at
        }
    }

    private static bool LeadsTo(string descriptor, string path)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName == path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // this one was closed; the process may have others
        }
    }
}
