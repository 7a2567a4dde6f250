using System.Globalization;
using Kip.Agent.Sessions;
using Kip.Agents.Protocol;

namespace Kip.Agent.Statistics;

/// <summary>The counters of network interfaces, from /proc/net/dev.</summary>
internal static class InterfaceReader
{
    private const int ReceivedBytes = 0;
    private const int ReceiveErrors = 2;
    private const int SentBytes = 8;
    private const int SendErrors = 10;

    /// <summary>Reads the counters of one network namespace.</summary>
    /// <param name="path">A file that stands for the namespace; null for the cell's own.</param>
    /// <param name="now">The time.</param>
    /// <exception cref="IOException">The namespace is gone.</exception>
    public static NetworkUsage Read(string? path, DateTimeOffset now) =>
        Parse(NetworkNamespace.Run(path, () => File.ReadAllLines("/proc/thread-self/net/dev")), now);

    /// <summary>Leaves out loopback and the cell's ends of its pods' links: what goes over these is counted at the other end.</summary>
    internal static NetworkUsage Parse(IReadOnlyList<string> lines, DateTimeOffset now)
    {
        var usage = new NetworkUsage { TimeUnixMs = now.ToUnixTimeMilliseconds() };
        foreach (var line in lines)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? "" : line[..colon].Trim();
            if (name.Length == 0 || name == "lo" || name.StartsWith("veth", StringComparison.Ordinal))
            {
                continue;
            }

            var numbers = line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            usage.Interfaces.Add(new InterfaceUsage
            {
                Name = name,
                ReceivedBytes = Number(numbers[ReceivedBytes]),
                ReceiveErrors = Number(numbers[ReceiveErrors]),
                SentBytes = Number(numbers[SentBytes]),
                SendErrors = Number(numbers[SendErrors]),
            });
        }

        return usage;
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
