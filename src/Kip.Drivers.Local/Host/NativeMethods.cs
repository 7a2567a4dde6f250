using System.Runtime.InteropServices;

namespace Kip.Drivers.Local.Host;

/// <summary>System calls that .NET has no method for, or not one that does only that.</summary>
internal static partial class NativeMethods
{
    // These have the same values on every architecture that .NET runs Linux on.
    public const int CloseRangeCloseOnExec = 4;
    public const int SigKill = 9;
    public const int ErrorNoSuchProcess = 3;

    [LibraryImport("libc", EntryPoint = "close_range", SetLastError = true)]
    public static partial int CloseRange(uint first, uint last, int flags);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int processId, int signal);
}
