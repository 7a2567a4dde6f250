using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kip.Drivers.Local.Host;

/// <summary>The two system calls that .NET has no method for.</summary>
internal static partial class NativeMethods
{
    public const int LockShared = 1;
    public const int LockExclusive = 2;
    public const int LockNonBlocking = 4;
    public const int SigKill = 9;
    public const int ErrorNoSuchProcess = 3;
    public const int ErrorWouldBlock = 11;
    public const int ErrorInterrupted = 4;

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int processId, int signal);
}
