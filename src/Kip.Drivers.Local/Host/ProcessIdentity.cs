using System.Globalization;
using System.Runtime.InteropServices;

namespace Kip.Drivers.Local.Host;

/// <summary>A process that cannot be mistaken for a later one with the same id: its start time and the boot it belongs to are part of it.</summary>
internal sealed record ProcessIdentity(int Id, long StartTicks, string BootId)
{
    /// <summary>The process with this id now, or null when there is none that runs.</summary>
    public static ProcessIdentity? Find(int processId)
    {
        string stat;
        try
        {
            stat = File.ReadAllText($"/proc/{processId}/stat");
        }
        catch (IOException)
        {
            // Gone, or (ESRCH) going while it is read.
            return null;
        }

        // proc(5): "pid (name) state ppid ... starttime(22) ..."; the name may hold blanks and brackets.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X"
            ? null
            : new ProcessIdentity(processId, long.Parse(fields[19], CultureInfo.InvariantCulture), CurrentBootId());
    }

    /// <summary>Reads what <see cref="ToString"/> wrote; null when it is not that.</summary>
    public static ProcessIdentity? Parse(string text)
    {
        var fields = text.Trim().Split(' ');
        return fields.Length == 3
            && int.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var start)
                ? new ProcessIdentity(id, start, fields[2])
                : null;
    }

    public bool IsAlive() => Find(Id) == this;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id} {StartTicks} {BootId}");

    /// <summary>Sends SIGKILL; a process that has ended is no error.</summary>
    public static void Kill(int processId)
    {
        if (NativeMethods.Kill(processId, NativeMethods.SigKill) != 0
            && Marshal.GetLastPInvokeError() is var error and not NativeMethods.ErrorNoSuchProcess)
        {
            throw new IOException($"cannot kill process {processId}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    private static string CurrentBootId() => File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
}
