namespace Kip.Agent.Tests.Support;

/// <summary>A test that needs a containerd of its own: root, and Debian's packages.</summary>
public sealed class ContainerdFactAttribute : FactAttribute
{
    private static readonly string[] _tools =
    [
        "/usr/bin/containerd", "/usr/bin/ctr", "/usr/sbin/runc", "/bin/busybox", "/usr/bin/catatonit", "/usr/lib/cni/ptp", "/usr/bin/unshare",
        "/usr/sbin/ip",
    ];

    public ContainerdFactAttribute()
    {
        var missing = _tools.Where(tool => !File.Exists(tool)).ToList();
        Skip = Environment.UserName != "root" ? "not root"
            : missing.Count > 0 ? $"missing: {string.Join(", ", missing)}"
            : null;
    }
}
