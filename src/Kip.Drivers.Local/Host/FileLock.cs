using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kip.Drivers.Local.Host;

/// <summary>
/// A lock between processes (and between objects of one process): flock(2) on a file. The kernel releases it when its holder dies.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly SafeFileHandle _handle;
    private readonly string _path;

    private FileLock(SafeFileHandle handle, string path)
    {
        _handle = handle;
        _path = path;
    }

    /// <summary>Waits for the lock; the file is made when it is not there.</summary>
    /// <exception cref="DirectoryNotFoundException">Its directory is not there.</exception>
    /// <exception cref="DriverException">Somebody else kept it for longer than <paramref name="patience"/>.</exception>
    public static async Task<FileLock> AcquireAsync(
        string path, TimeSpan patience, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var start = timeProvider.GetTimestamp();
        while (true)
        {
            if (TryAcquire(path, create: true, NativeMethods.LockExclusive) is { } acquired)
            {
                return acquired;
            }

            if (timeProvider.GetElapsedTime(start) > patience)
            {
                throw new DriverException(
                    DriverErrorKind.Transient, $"another process has held the lock {path} for more than {patience.TotalSeconds:0} s");
            }

            await Task.Delay(Pause, timeProvider, cancellationToken);
        }
    }

    /// <summary>Takes the lock if it is free.</summary>
    public static FileLock? TryAcquire(string path) => TryAcquire(path, create: true, NativeMethods.LockExclusive);

    /// <summary>Whether somebody holds the lock now. A file that is not there is not held.</summary>
    public static bool IsHeld(string path)
    {
        try
        {
            using var probe = TryAcquire(path, create: false, NativeMethods.LockShared);
            return probe is null;
        }
        catch (DirectoryNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Removes the file while the lock is held, so that nobody is left waiting for a file that is gone without noticing.</summary>
    public void DeleteFile() => File.Delete(_path);

    public void Dispose() => _handle.Dispose();

    private static FileLock? TryAcquire(string path, bool create, int kind)
    {
        // Not by File.OpenHandle: it takes flocks of its own.
        var flags = NativeMethods.OpenReadWrite | NativeMethods.OpenCloseOnExec | (create ? NativeMethods.OpenCreate : 0);
        var descriptor = NativeMethods.Open(path, flags, Convert.ToInt32("600", 8));
        if (descriptor < 0)
        {
            throw Marshal.GetLastPInvokeError() switch
            {
                NativeMethods.ErrorNoSuchFile => new DirectoryNotFoundException($"cannot open the lock {path}"),
                var error => new IOException($"cannot open the lock {path}: {Marshal.GetPInvokeErrorMessage(error)}"),
            };
        }

        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        while (NativeMethods.Flock(handle, kind | NativeMethods.LockNonBlocking) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == NativeMethods.ErrorInterrupted)
            {
                continue;
            }

            handle.Dispose();
            return error == NativeMethods.ErrorWouldBlock
                ? null
                : throw new IOException($"cannot lock {path}: {Marshal.GetPInvokeErrorMessage(error)}");
        }

        // Between open and flock the last holder may have deleted the file: then this lock excludes nobody.
        var target = File.ResolveLinkTarget($"/proc/self/fd/{descriptor}", returnFinalTarget: false);
        if (target is null || target.FullName.EndsWith(" (deleted)", StringComparison.Ordinal))
        {
            handle.Dispose();
            return null;
        }

        return new FileLock(handle, path);
    }
}
