using System.Security.Cryptography;
using Kip.Cells;

namespace Kip.Host.Node;

/// <summary>
/// What a host leaves in the state folder so that the one after it, on the same machine, knows that it has ended: its identity, and a lock
/// that the kernel lets go of with its process. A machine that was started anew, or another one with a copy of the folder, knows nothing by it.
/// </summary>
internal sealed class HostTrace : IDisposable
{
    private readonly OwnerLock? _lock;

    private HostTrace(OwnerLock? held, string? predecessor) => (_lock, Predecessor) = (held, predecessor);

    /// <summary>What this host is called. By chance: a name may not come again while a process that had it lives somewhere.</summary>
    public string Identity { get; } = $"{Environment.MachineName}-{RandomNumberGenerator.GetHexString(10, lowercase: true)}";

    /// <summary>What the host before it was called, which has ended; null when nothing is known of it.</summary>
    public string? Predecessor { get; }

    /// <summary>Leaves a trace where it can; a host without a folder of its own does without, as does the second of two that share one.</summary>
    /// <param name="folder">The state folder.</param>
    /// <param name="node">The node.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public static async Task<HostTrace> TryLeaveAsync(string folder, string node, TimeProvider time, CancellationToken cancellationToken)
    {
        OwnerLock? held = null;
        try
        {
            held = await OwnerLock.TakeAsync(Path.Combine(folder, "hosts"), node, time, cancellationToken).ConfigureAwait(false);
            var path = Path.Combine(folder, "hosts", $"{node}.last");
            var boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
            var known = File.Exists(path) ? File.ReadAllText(path).Split(' ') : [];
            var trace = new HostTrace(held, known is [var bootBefore, var identity] && bootBefore == boot ? identity : null);
            File.WriteAllText(path, $"{boot} {trace.Identity}");
            return trace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            held?.Dispose();
            return new HostTrace(null, null);
        }
    }

    public void Dispose() => _lock?.Dispose();
}
