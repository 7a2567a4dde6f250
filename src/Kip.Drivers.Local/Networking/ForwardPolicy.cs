using System.Diagnostics;
using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Networking;

/// <summary>
/// Finds what keeps cells from the world although their bridge is right: Docker and firewalls set the policy of forwarding to drop, and
/// no table of Kip's own can overrule that.
/// </summary>
internal static class ForwardPolicy
{
    /// <summary>The chain that drops forwarded packets unless a rule accepts them, as "TABLE CHAIN", or null.</summary>
    /// <remarks>Chains of iptables-legacy are not seen.</remarks>
    public static string? FindDroppingChain()
    {
        if (Tools.Find("nft") is not { } program)
        {
            return null;
        }

        using var nft = Command.Start(new ProcessStartInfo(program, ["list", "chains", "ip"]) { RedirectStandardOutput = true });
        return Parse(nft.StandardOutput.ReadToEnd());
    }

    /// <summary>Reads what <c>nft list chains</c> prints.</summary>
    public static string? Parse(string chains)
    {
        var (table, chain) = ("", "");
        foreach (var line in chains.Split('\n', StringSplitOptions.TrimEntries))
        {
            switch (line.Split(' '))
            {
                case ["table", _, var name, ..]:
                    table = name;
                    break;
                case ["chain", var name, ..]:
                    chain = name;
                    break;
                case [.., "policy", "drop;"] when line.Contains(" hook forward ", StringComparison.Ordinal):
                    return $"{table} {chain}";
                default:
                    break;
            }
        }

        return null;
    }
}
