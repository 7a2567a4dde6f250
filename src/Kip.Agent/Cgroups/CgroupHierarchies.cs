namespace Kip.Agent.Cgroups;

/// <summary>
/// Where the kernel keeps the files of a control group: one tree in version 2, one for each controller in version 1, some of them for two
/// controllers together. Source: cgroup-v1 and cgroup-v2 of the kernel's admin guide.
/// </summary>
/// <param name="root">Where the hierarchies are mounted.</param>
internal sealed class CgroupHierarchies(string root = "/sys/fs/cgroup")
{
    /// <summary>Where the hierarchies are mounted.</summary>
    public string Root { get; } = root;

    public bool IsVersion2 { get; } = File.Exists(Path.Combine(root, "cgroup.controllers"));

    /// <summary>The directory of a group, which may not exist.</summary>
    /// <param name="controller">One of version 1, for example <c>cpuacct</c>; of no interest in version 2.</param>
    /// <param name="group">The group's name from the root of its hierarchy.</param>
    public string PathOf(string controller, string group) => IsVersion2
        ? Path.Combine(Root, group.Trim('/'))
        : Path.Combine(Root, Hierarchy(controller), group.Trim('/'));

    private string Hierarchy(string controller) => Directory.Exists(Path.Combine(Root, controller)) || !Directory.Exists(Root)
        ? controller
        : Directory.GetDirectories(Root).Select(Path.GetFileName).FirstOrDefault(name => name!.Split(',').Contains(controller)) ?? controller;
}
