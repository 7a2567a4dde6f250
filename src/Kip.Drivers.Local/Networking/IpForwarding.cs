using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Networking;

/// <summary>
/// Turns IPv4 forwarding on for as long as any bridge of the local driver is on this machine, whoever's it is, and then back to what it
/// was. What it was is kept where it vanishes with a reboot, as the setting does.
/// </summary>
internal sealed class IpForwarding(TimeProvider timeProvider, string directory = "/run", string setting = "/proc/sys/net/ipv4/ip_forward")
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _lockFile = Path.Combine(directory, "kip-local.lock");
    private readonly string _changedMarker = Path.Combine(directory, "kip-local.ip_forward");

    public async Task EnableAsync(CancellationToken cancellationToken)
    {
        using var machine = await FileLock.AcquireAsync(_lockFile, Patience, timeProvider, cancellationToken);
        if ((await File.ReadAllTextAsync(setting, cancellationToken)).Trim() == "0")
        {
            // First the note, then the change: killed in between, the worst is to write a 0 over a 0 later.
            await File.WriteAllTextAsync(_changedMarker, "0\n", cancellationToken);
            await File.WriteAllTextAsync(setting, "1\n", cancellationToken);
        }
    }

    /// <summary>Puts the setting back unless another bridge of the local driver needs it.</summary>
    public async Task RestoreAsync(CancellationToken cancellationToken)
    {
        using var machine = await FileLock.AcquireAsync(_lockFile, Patience, timeProvider, cancellationToken);
        if (Bridge.AnyOnThisMachine())
        {
            return;
        }

        if (File.Exists(_changedMarker))
        {
            await File.WriteAllTextAsync(setting, "0\n", cancellationToken);
            File.Delete(_changedMarker);
        }

        machine.DeleteFile();
    }
}
