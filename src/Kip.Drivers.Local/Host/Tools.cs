namespace Kip.Drivers.Local.Host;

/// <summary>Finds the machine's own programs.</summary>
internal static class Tools
{
    // A daemon or sudo may have a PATH without the places where Debian keeps these.
    private static readonly string[] SystemDirectories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    // Debian's place first, then the one of the CNI project's own releases.
    private static readonly string[] CniDirectories = ["/usr/lib/cni", "/opt/cni/bin"];

    /// <summary>What a cell needs, with the Debian package it is in.</summary>
    public static IReadOnlyList<(string Program, string Package)> Needed { get; } =
    [
        ("containerd", "containerd"),
        ("containerd-shim-runc-v2", "containerd"),
        ("runc", "runc"),
        ("ip", "iproute2"),
        ("nft", "nftables"),
        ("mkfs.ext4", "e2fsprogs"),
        ("unshare", "util-linux"),
        ("setsid", "util-linux"),
        ("mount", "mount"),
    ];

    /// <summary>PATH for everything that runs in a cell.</summary>
    public static string SearchPath { get; } = string.Join(':', Directories());

    /// <summary>Full path of a program, or null.</summary>
    public static string? Find(string program) =>
        Directories().Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);

    /// <summary>Directory of the CNI plugins, or null.</summary>
    public static string? FindCniPlugins() =>
        CniDirectories.FirstOrDefault(directory => File.Exists(Path.Combine(directory, "loopback")));

    private static IEnumerable<string> Directories() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Where(Path.IsPathRooted)
        .Concat(SystemDirectories)
        .Distinct(StringComparer.Ordinal);
}
