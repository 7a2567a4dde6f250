using System.Text.Json;

namespace Kip.Kubernetes.Objects;

/// <summary>Security settings of a container.</summary>
public sealed class SecurityContext : ApiObject
{
    /// <summary>Linux capabilities added and dropped.</summary>
    public Capabilities? Capabilities { get; set; }

    /// <summary>Whether the container has all rights on its host.</summary>
    public bool? Privileged { get; set; }

    /// <summary>The SELinux label.</summary>
    public SELinuxOptions? SeLinuxOptions { get; set; }

    /// <summary>Windows settings; carried as they are.</summary>
    public JsonElement? WindowsOptions { get; set; }

    /// <summary>The user id; the image's when absent.</summary>
    public long? RunAsUser { get; set; }

    /// <summary>The group id; the image's when absent.</summary>
    public long? RunAsGroup { get; set; }

    /// <summary>Whether running as user 0 is refused.</summary>
    public bool? RunAsNonRoot { get; set; }

    /// <summary>Whether the root file system is read-only.</summary>
    public bool? ReadOnlyRootFilesystem { get; set; }

    /// <summary>Whether a process can gain more rights than its parent.</summary>
    public bool? AllowPrivilegeEscalation { get; set; }

    /// <summary>Default or Unmasked.</summary>
    public string? ProcMount { get; set; }

    /// <summary>The seccomp profile.</summary>
    public SeccompProfile? SeccompProfile { get; set; }

    /// <summary>The AppArmor profile.</summary>
    public AppArmorProfile? AppArmorProfile { get; set; }
}

/// <summary>Security settings of all containers of a pod.</summary>
public sealed class PodSecurityContext : ApiObject
{
    /// <summary>The SELinux label.</summary>
    public SELinuxOptions? SeLinuxOptions { get; set; }

    /// <summary>Windows settings; carried as they are.</summary>
    public JsonElement? WindowsOptions { get; set; }

    /// <summary>The user id; the image's when absent.</summary>
    public long? RunAsUser { get; set; }

    /// <summary>The group id; the image's when absent.</summary>
    public long? RunAsGroup { get; set; }

    /// <summary>Whether running as user 0 is refused.</summary>
    public bool? RunAsNonRoot { get; set; }

    /// <summary>Further group ids of the processes.</summary>
    public List<long>? SupplementalGroups { get; set; }

    /// <summary>Merge or Strict.</summary>
    public string? SupplementalGroupsPolicy { get; set; }

    /// <summary>The group that owns the volumes.</summary>
    public long? FsGroup { get; set; }

    /// <summary>Kernel settings of the pod's namespaces.</summary>
    public List<Sysctl>? Sysctls { get; set; }

    /// <summary>OnRootMismatch or Always.</summary>
    public string? FsGroupChangePolicy { get; set; }

    /// <summary>The seccomp profile.</summary>
    public SeccompProfile? SeccompProfile { get; set; }

    /// <summary>The AppArmor profile.</summary>
    public AppArmorProfile? AppArmorProfile { get; set; }

    /// <summary>Recursive or MountOption.</summary>
    public string? SeLinuxChangePolicy { get; set; }
}

/// <summary>Linux capabilities, without the CAP_ prefix.</summary>
public sealed class Capabilities : ApiObject
{
    /// <summary>Capabilities added.</summary>
    public List<string>? Add { get; set; }

    /// <summary>Capabilities dropped; ALL drops all.</summary>
    public List<string>? Drop { get; set; }
}

/// <summary>An SELinux label.</summary>
public sealed class SELinuxOptions : ApiObject
{
    /// <summary>The user part.</summary>
    public string? User { get; set; }

    /// <summary>The role part.</summary>
    public string? Role { get; set; }

    /// <summary>The type part.</summary>
    public string? Type { get; set; }

    /// <summary>The level part.</summary>
    public string? Level { get; set; }
}

/// <summary>A seccomp profile.</summary>
public sealed class SeccompProfile : ApiObject
{
    /// <summary>RuntimeDefault, Unconfined or Localhost.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    /// <summary>The profile's file, for Localhost.</summary>
    public string? LocalhostProfile { get; set; }
}

/// <summary>An AppArmor profile.</summary>
public sealed class AppArmorProfile : ApiObject
{
    /// <summary>RuntimeDefault, Unconfined or Localhost.</summary>
    public string Type { get; set => field = value ?? ""; } = "";

    /// <summary>The loaded profile's name, for Localhost.</summary>
    public string? LocalhostProfile { get; set; }
}

/// <summary>A kernel setting.</summary>
public sealed class Sysctl : ApiObject
{
    /// <summary>The setting's name, such as <c>net.ipv4.ip_local_port_range</c>.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>The value.</summary>
    public string Value { get; set => field = value ?? ""; } = "";
}
