using Kip.Drivers.Local.Host;
using Kip.Drivers.Local.Networking;

namespace Kip.Drivers.Local;

/// <summary>One thing the local driver needs of this machine.</summary>
/// <param name="Name">What it is, in a few words.</param>
/// <param name="Ok">Whether it is there.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Remedy">What to do when it is not there; null when it is.</param>
public sealed record LocalRequirement(string Name, bool Ok, string Detail, string? Remedy);

/// <summary>Finds out whether this machine can run cells.</summary>
public static class LocalRequirements
{
    private const string Install =
        "apt-get install containerd runc containernetworking-plugins iproute2 nftables util-linux mount e2fsprogs";

    /// <summary>Everything the local driver needs, found or not, in a fixed order. Changes nothing.</summary>
    public static IReadOnlyList<LocalRequirement> Check(LocalDriverOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return Check(options, Environment.IsPrivilegedProcess);
    }

    internal static IReadOnlyList<LocalRequirement> Check(LocalDriverOptions options, bool isRoot) =>
        [.. CheckHost(options, isRoot), Network(options, isRoot)];

    private static IReadOnlyList<LocalRequirement> CheckHost(LocalDriverOptions options, bool isRoot) =>
    [
        new("root", isRoot, isRoot ? "running as root" : "not running as root", isRoot ? null : "run it with sudo or as root"),
        .. Tools.Needed.Select(needed => Program(needed.Program, needed.Package)),
        CniPlugins(),
        ControlGroups(),
        Agent(options.AgentPath),
        .. options.ImageArchives.Select(ImageArchive),
    ];

    /// <summary>Throws for the first thing that is missing. Not for the network, which is looked at when it is set up.</summary>
    internal static void Demand(LocalDriverOptions options, bool isRoot)
    {
        foreach (var missing in CheckHost(options, isRoot).Where(requirement => !requirement.Ok))
        {
            throw new DriverException(
                missing.Name == "root" ? DriverErrorKind.Unauthorized : DriverErrorKind.InvalidConfiguration,
                $"this machine cannot run cells: {missing.Name}: {missing.Detail}; {missing.Remedy}");
        }
    }

    private static LocalRequirement Program(string name, string package) => Tools.Find(name) is { } path
        ? new(name, true, path, null)
        : new(name, false, "not found in " + Tools.SearchPath, $"install Debian's package {package}, or all that cells need: {Install}");

    private static LocalRequirement CniPlugins() => Tools.FindCniPlugins() is { } directory
        ? new("CNI plugins", true, directory, null)
        : new("CNI plugins", false, "neither in /usr/lib/cni nor in /opt/cni/bin", $"install Debian's package containernetworking-plugins, or all that cells need: {Install}");

    private static LocalRequirement ControlGroups() => Cgroups.OfThisMachine().MissingController() is { } controller
        ? new("control groups", false, $"no hierarchy has the {controller} controller", "mount it below /sys/fs/cgroup, or allow this container to use it")
        : new("control groups", true, "cpu, memory and pids can be limited", null);

    private static LocalRequirement Agent(string path) =>
        !File.Exists(path) ? new("agent", false, $"there is no file {path}", "build Kip.Agent, or set AgentPath to where it is")
        : (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) == 0 ? new("agent", false, $"{path} is not executable", $"chmod +x {path}")
        : new("agent", true, path, null);

    private static LocalRequirement ImageArchive(string path) => File.Exists(path)
        ? new("image archive", true, path, null)
        : new("image archive", false, $"there is no file {path}", "make it, or take it out of ImageArchives");

    private static LocalRequirement Network(LocalDriverOptions options, bool isRoot) => LocalDriver.MakeBridge(options, TimeProvider.System).FindConflict() is var (problem, remedy)
        ? new("network", false, problem, remedy)
        : new("network", true, $"bridge {options.Bridge}, addresses {options.Cidr}{(isRoot ? Obstacle(options.Bridge) : "")}", null);

    // No reason to refuse: what reaches only this machine and other cells works all the same.
    private static string Obstacle(string bridge) => ForwardPolicy.FindDroppingChain() is { } chain
        ? $"; but the chain {chain} drops what cells send beyond this machine: iptables -I FORWARD -i {bridge} -j ACCEPT; iptables -I FORWARD -o {bridge} -j ACCEPT"
        : "";
}
