namespace Kip;

/// <summary>
/// Keeps other processes, and other objects of this one, out while it is held. The kernel lets go of it when the process ends, however it ends.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);
    private const int WouldBlockLinux = 11;
    private const int WouldBlockMac = 35;
    private const int SharingViolationWindows = unchecked((int)0x80070020);

    private readonly FileStream _file;

    private FileLock(FileStream file) => _file = file;

    /// <summary>Takes the lock if it is free; the file is made, for its owner only, when it is not there.</summary>
    /// <exception cref="IOException">The file cannot be opened or made.</exception>
    public static FileLock? TryAcquire(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return Open(path, options) is { } file ? new FileLock(file) : null;
    }

    /// <summary>Waits for the lock.</summary>
    /// <exception cref="IOException">The file cannot be opened or made, or somebody else has kept the lock for longer than <paramref name="patience"/>.</exception>
    public static async Task<FileLock> AcquireAsync(string path, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            if (TryAcquire(path) is { } held)
            {
                return held;
            }

            if (time.GetElapsedTime(start) > patience)
            {
                throw new IOException(FormattableString.Invariant($"another process has held the lock {path} for more than {patience.TotalSeconds:0.#} s"));
            }

            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Whether somebody holds the lock now. A file that is not there is not held.</summary>
    public static bool IsHeld(string path)
    {
        try
        {
            using var file = Open(path, new FileStreamOptions { Mode = FileMode.Open, Access = FileAccess.Read, Share = FileShare.Read, BufferSize = 0 });
            return file is null && File.Exists(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>
    /// Removes the file while the lock is held: who opened it before finds, once the lock is let go, that it is gone. The other way round two could
    /// hold the lock, one of a file that nobody sees any more.
    /// </summary>
    public void DeleteFile() => File.Delete(_file.Name);

    public void Dispose() => _file.Dispose();

    private static FileStream? Open(string path, FileStreamOptions options)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, options);
        }
        catch (IOException e) when (e.HResult is WouldBlockLinux or WouldBlockMac or SharingViolationWindows)
        {
            return null; // another has it; anything else, a full disk for one, is the caller's to know
        }

        if (!IsDeleted(file))
        {
            return file;
        }

        file.Dispose();
        return null;
    }

    // Between opening and locking the last holder may have deleted the file: a lock of it excludes nobody.
    private static bool IsDeleted(FileStream file)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        var target = File.ResolveLinkTarget($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}", returnFinalTarget: false);
        return target is null || target.FullName.EndsWith(" (deleted)", StringComparison.Ordinal);
    }
}
