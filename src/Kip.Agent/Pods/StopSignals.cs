using System.Globalization;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>The signals that <c>lifecycle.stopSignal</c> may name, with Linux's numbers (signal(7); the same on x86 and ARM).</summary>
internal static class StopSignals
{
    private const int FirstRealTime = 34;
    private const int LastRealTime = 64;
    private const int MostAbove = 15;
    private const int MostBelow = 14;

    private static readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal)
    {
        ["SIGHUP"] = 1, ["SIGINT"] = 2, ["SIGQUIT"] = 3, ["SIGILL"] = 4, ["SIGTRAP"] = 5, ["SIGABRT"] = 6, ["SIGIOT"] = 6, ["SIGBUS"] = 7,
        ["SIGFPE"] = 8, ["SIGKILL"] = 9, ["SIGUSR1"] = 10, ["SIGSEGV"] = 11, ["SIGUSR2"] = 12, ["SIGPIPE"] = 13, ["SIGALRM"] = 14,
        ["SIGTERM"] = 15, ["SIGSTKFLT"] = 16, ["SIGCHLD"] = 17, ["SIGCLD"] = 17, ["SIGCONT"] = 18, ["SIGSTOP"] = 19, ["SIGTSTP"] = 20,
        ["SIGTTIN"] = 21, ["SIGTTOU"] = 22, ["SIGURG"] = 23, ["SIGXCPU"] = 24, ["SIGXFSZ"] = 25, ["SIGVTALRM"] = 26, ["SIGPROF"] = 27,
        ["SIGWINCH"] = 28, ["SIGIO"] = 29, ["SIGPOLL"] = 29, ["SIGPWR"] = 30, ["SIGSYS"] = 31,
        ["SIGRTMIN"] = FirstRealTime, ["SIGRTMAX"] = LastRealTime,
    };

    /// <summary>The signal that the container asks to be stopped with; null when that is the image's affair, or there is no such signal.</summary>
    public static int? Of(Container container) => container.Lifecycle?.StopSignal is { Length: > 0 } name ? Number(name) : null;

    /// <summary>Whether the container names a signal that there is not.</summary>
    public static bool IsUnknown(Container container) => container.Lifecycle?.StopSignal is { Length: > 0 } name && Number(name) is null;

    private static int? Number(string name) =>
        _numbers.TryGetValue(name, out var number) ? number
        : Distance(name, "SIGRTMIN+") is { } above and >= 1 and <= MostAbove ? FirstRealTime + above
        : Distance(name, "SIGRTMAX-") is { } below and >= 1 and <= MostBelow ? LastRealTime - below
        : null;

    private static int? Distance(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var distance) ? distance : null;
}
