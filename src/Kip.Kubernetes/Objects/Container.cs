using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Objects;

/// <summary>One container of a pod.</summary>
public class Container : ApiObject
{
    internal Container Copy() => (Container)MemberwiseClone();

    /// <summary>The name, unique in the pod.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>The image; see <see cref="ImageReference"/>.</summary>
    public string? Image { get; set; }

    /// <summary>Replaces the image's entry point.</summary>
    public List<string>? Command { get; set; }

    /// <summary>Replaces the image's arguments.</summary>
    public List<string>? Args { get; set; }

    /// <summary>Where the process starts.</summary>
    public string? WorkingDir { get; set; }

    /// <summary>Ports the container listens on.</summary>
    public List<ContainerPort>? Ports { get; set; }

    /// <summary>Config maps and secrets whose keys become environment variables.</summary>
    public List<EnvFromSource>? EnvFrom { get; set; }

    /// <summary>Environment variables; they win over <see cref="EnvFrom"/>.</summary>
    public List<EnvVar>? Env { get; set; }

    /// <summary>What the container needs and may use.</summary>
    public ResourceRequirements? Resources { get; set; }

    /// <summary>What a change of resources does to the container.</summary>
    public List<ContainerResizePolicy>? ResizePolicy { get; set; }

    /// <summary>The container's own restart policy, in place of the pod's; Always on an init container makes a sidecar of it.</summary>
    public string? RestartPolicy { get; set; }

    /// <summary>Looked at in order when the container exits; the first that matches wins over the restart policy.</summary>
    public List<ContainerRestartRule>? RestartPolicyRules { get; set; }

    /// <summary>Volumes mounted into the container's file system.</summary>
    public List<VolumeMount>? VolumeMounts { get; set; }

    /// <summary>Volumes given to the container as block devices.</summary>
    public List<VolumeDevice>? VolumeDevices { get; set; }

    /// <summary>When it fails the container is restarted.</summary>
    public Probe? LivenessProbe { get; set; }

    /// <summary>While it fails the container gets no traffic.</summary>
    public Probe? ReadinessProbe { get; set; }

    /// <summary>Until it succeeds the other probes wait.</summary>
    public Probe? StartupProbe { get; set; }

    /// <summary>What is done after the start and before the stop.</summary>
    public Lifecycle? Lifecycle { get; set; }

    /// <summary>The file whose content becomes the termination message.</summary>
    public string? TerminationMessagePath { get; set; }

    /// <summary>File or FallbackToLogsOnError.</summary>
    public string? TerminationMessagePolicy { get; set; }

    /// <summary>When the image is pulled; see <see cref="Objects.ImagePullPolicy"/>.</summary>
    public string? ImagePullPolicy { get; set; }

    /// <summary>Security settings; they win over the pod's.</summary>
    public SecurityContext? SecurityContext { get; set; }

    /// <summary>Whether standard input is kept open.</summary>
    public bool? Stdin { get; set; }

    /// <summary>Whether standard input closes after the first attached client leaves.</summary>
    public bool? StdinOnce { get; set; }

    /// <summary>Whether the process gets a terminal.</summary>
    public bool? Tty { get; set; }
}

/// <summary>A port a container listens on.</summary>
public sealed class ContainerPort : ApiObject
{
    /// <summary>The name by which probes and services refer to the port.</summary>
    public string? Name { get; set; }

    /// <summary>The port of the host that leads to this one, 1 to 65535.</summary>
    public int? HostPort { get; set; }

    /// <summary>The port, 1 to 65535.</summary>
    [JsonPropertyName("containerPort")]
    public int Port { get; set; }

    /// <summary>TCP, UDP or SCTP.</summary>
    public string? Protocol { get; set; }

    /// <summary>The host address the host port binds to.</summary>
    public string? HostIP { get; set; }
}

/// <summary>What happens when a container exits in a certain way.</summary>
public sealed class ContainerRestartRule : ApiObject
{
    /// <summary>Restart, or RestartAllContainers.</summary>
    public string Action { get; set => field = value ?? ""; } = "";

    /// <summary>The exit codes that it is about.</summary>
    public ContainerRestartRuleOnExitCodes? ExitCodes { get; set; }
}

/// <summary>Exit codes that a restart rule is about.</summary>
public sealed class ContainerRestartRuleOnExitCodes : ApiObject
{
    /// <summary>In or NotIn.</summary>
    public string Operator { get; set => field = value ?? ""; } = "";

    /// <summary>The exit codes.</summary>
    public List<int>? Values { get; set; }
}

/// <summary>What a change of one resource does to the container.</summary>
public sealed class ContainerResizePolicy : ApiObject
{
    /// <summary>cpu or memory.</summary>
    public string ResourceName { get; set => field = value ?? ""; } = "";

    /// <summary>NotRequired or RestartContainer.</summary>
    public string RestartPolicy { get; set => field = value ?? ""; } = "";
}

/// <summary>Where a volume appears in a container.</summary>
public sealed class VolumeMount : ApiObject
{
    /// <summary>The volume's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>Whether the mount is read-only.</summary>
    public bool? ReadOnly { get; set; }

    /// <summary>Disabled, IfPossible or Enabled.</summary>
    public string? RecursiveReadOnly { get; set; }

    /// <summary>The path in the container.</summary>
    public string MountPath { get; set => field = value ?? ""; } = "";

    /// <summary>The path in the volume; its root when absent.</summary>
    public string? SubPath { get; set; }

    /// <summary>None, HostToContainer or Bidirectional.</summary>
    public string? MountPropagation { get; set; }

    /// <summary>The path in the volume, with <c>$(VAR)</c> expanded from the environment.</summary>
    public string? SubPathExpr { get; set; }
}

/// <summary>A volume given to a container as block device.</summary>
public sealed class VolumeDevice : ApiObject
{
    /// <summary>The volume's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>The device's path in the container.</summary>
    public string DevicePath { get; set => field = value ?? ""; } = "";
}
