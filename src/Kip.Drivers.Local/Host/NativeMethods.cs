using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kip.Drivers.Local.Host;

/// <summary>System calls that .NET has no method for, or not one that does only that.</summary>
internal static partial class NativeMethods
{
    // These have the same values on every architecture that .NET runs Linux on.
    public const int OpenReadWrite = 2;
    public const int OpenCreate = 0x40;
    public const int OpenCloseOnExec = 0x80000;
    public const int CloseRangeCloseOnExec = 4;
    public const int LockShared = 1;
    public const int LockExclusive = 2;
    public const int LockNonBlocking = 4;
    public const int SigKill = 9;
    public const int ErrorNoSuchFile = 2;
    public const int ErrorNoSuchProcess = 3;
    public const int ErrorInterrupted = 4;
    public const int ErrorWouldBlock = 11;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "close_range", SetLastError = true)]
    public static partial int CloseRange(uint first, uint last, int flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int processId, int signal);
}
