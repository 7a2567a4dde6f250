using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>From a container of the pod to what the runtime is to create.</summary>
internal static class ContainerPlan
{
    // What the kubelet hides of a container's /proc and /sys unless it is privileged (k8s.io/kubernetes pkg/securitycontext).
    private static readonly string[] _maskedPaths =
    [
        "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
    ];

    private static readonly string[] _readOnlyPaths =
        ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    /// <summary>Builds the configuration of one run.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="container">One of its containers.</param>
    /// <param name="attempt">Which run of the container this is, from 0.</param>
    /// <param name="image">The image as pulled.</param>
    /// <param name="mounts">Files of the cell that the container sees.</param>
    /// <param name="podIP">For environment variables.</param>
    /// <param name="cell">The machine.</param>
    /// <exception cref="ContainerStartException">The container may not run as the user that the image names.</exception>
    public static ContainerConfig ToCri(
        Pod pod, Container container, uint attempt, PulledImage image, IEnumerable<Mount> mounts, string podIP, Cell cell)
    {
        var expanded = Expand(pod, container, podIP, cell);
        var config = new ContainerConfig
        {
            Metadata = new ContainerMetadata { Name = container.Name, Attempt = attempt },
            Image = new ImageSpec { Image = image.Reference },
            WorkingDir = container.WorkingDir ?? "",
            LogPath = Path.Combine(container.Name, $"{attempt}.log"),
            Stdin = container.Stdin == true,
            StdinOnce = container.StdinOnce == true,
            Tty = container.Tty == true,
            Labels = { PodIdentity.Labels(pod) },
            Linux = new LinuxContainerConfig
            {
                Resources = Resources.ToCri(container, pod, cell),
                SecurityContext = SecurityContext(pod.Spec, container, image, cell),
            },
        };
        AppArmor.Set(config.Linux.SecurityContext, pod, container);
        config.Labels[PodIdentity.ContainerNameLabel] = container.Name;
        config.Annotations[PodIdentity.HashAnnotation] = PodIdentity.Hash(container);
        config.Annotations[PodIdentity.RestartCountAnnotation] = $"{attempt}";
        config.Command.AddRange(expanded.Command);
        config.Args.AddRange(expanded.Args);
        if (Gpus.Of(pod.Spec, container) is { } gpus && !expanded.Env.Any(variable => variable.Key == Gpus.Variable))
        {
            config.Envs.Add(new KeyValue { Key = Gpus.Variable, Value = gpus });
        }

        config.Envs.AddRange(expanded.Env.Select(variable => new KeyValue { Key = variable.Key, Value = variable.Value }));
        config.Mounts.AddRange(mounts);
        return config;
    }

    /// <summary>The command line and the environment, with what only the cell knows put in.</summary>
    public static ExpandedContainer Expand(Pod pod, Container container, string podIP, Cell cell) =>
        ContainerExpansion.Expand(Resolved(pod, container, podIP, cell));

    /// <summary>Lets an ephemeral container that names a target see the target's processes.</summary>
    /// <param name="config">What is to be created.</param>
    /// <param name="container">What it is made from.</param>
    /// <param name="targetId">The run of the target; null when there is none.</param>
    /// <exception cref="ContainerStartException">It names a target, and that does not run.</exception>
    public static void Target(ContainerConfig config, Container container, string? targetId)
    {
        if (container is EphemeralContainer { TargetContainerName: { Length: > 0 } name })
        {
            var namespaces = config.Linux.SecurityContext.NamespaceOptions;
            namespaces.Pid = NamespaceMode.Target;
            namespaces.TargetId = targetId
                ?? throw new ContainerStartException(WaitingReason.CreateContainerConfigError, $"unable to find target container {name}");
        }
    }

    /// <summary>Null when the profile is not set, which the kubelet takes for unconfined.</summary>
    public static SecurityProfile? Seccomp(SeccompProfile? profile, Cell cell) => profile?.Type switch
    {
        null or "" => null,
        "Localhost" => new SecurityProfile
        {
            ProfileType = SecurityProfile.Types.ProfileType.Localhost,
            LocalhostRef = Path.Combine(cell.SeccompDirectory, profile.LocalhostProfile ?? ""),
        },
        "RuntimeDefault" => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.RuntimeDefault },
        _ => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Unconfined },
    };

    public static SELinuxOption? SeLinux(SELinuxOptions? options) => options is null
        ? null
        : new SELinuxOption { User = options.User ?? "", Role = options.Role ?? "", Type = options.Type ?? "", Level = options.Level ?? "" };

    /// <summary>The groups that every process of the pod belongs to.</summary>
    public static IEnumerable<long> Groups(PodSecurityContext? pod) =>
        (pod?.SupplementalGroups ?? []).Concat(pod?.FsGroup is { } group ? [group] : []).Distinct();

    private static Container Resolved(Pod pod, Container container, string podIP, Cell cell)
    {
        return new Container
        {
            Command = container.Command,
            Args = container.Args,
            Env = container.Env?.ConvertAll(variable => Value(variable.ValueFrom) is { } value
                ? new EnvVar { Name = variable.Name, Value = ContainerExpansion.Escape(value) }
                : variable),
        };

        string? Value(EnvVarSource? source) => source switch
        {
            { FieldRef: { } field } => FieldReference.Resolve(field.FieldPath, pod, podIP, cell.HostIP),
            { ResourceFieldRef: { } resource } => ResourceReference.Resolve(resource, Named(resource.ContainerName), cell),
            _ => null,
        };

        Container Named(string? name) =>
            pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).FirstOrDefault(each => each.Name == name) ?? container;
    }

    private static LinuxContainerSecurityContext SecurityContext(PodSpec spec, Container container, PulledImage image, Cell cell)
    {
        var pod = spec.SecurityContext;
        var own = container.SecurityContext;
        var user = own?.RunAsUser ?? pod?.RunAsUser;
        var group = own?.RunAsGroup ?? pod?.RunAsGroup;
        if ((own?.RunAsNonRoot ?? pod?.RunAsNonRoot) == true)
        {
            RequireNonRoot(user, image);
        }

        var privileged = own?.Privileged == true;
        var context = new LinuxContainerSecurityContext
        {
            NamespaceOptions = SandboxPlan.Namespaces(spec),
            Privileged = privileged,
            ReadonlyRootfs = own?.ReadOnlyRootFilesystem == true,
            NoNewPrivs = own?.AllowPrivilegeEscalation == false,
            SelinuxOptions = SeLinux(own?.SeLinuxOptions ?? pod?.SeLinuxOptions),
            Seccomp = Seccomp(own?.SeccompProfile, cell) ?? Seccomp(pod?.SeccompProfile, cell)
                ?? new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Unconfined },
        };
        SetUser(context, user, group, image);
        context.SupplementalGroups.AddRange(Groups(pod));
        if (own?.Capabilities is { } capabilities)
        {
            context.Capabilities = new Capability();
            context.Capabilities.AddCapabilities.AddRange(capabilities.Add ?? []);
            context.Capabilities.DropCapabilities.AddRange(capabilities.Drop ?? []);
        }

        if (!privileged && own?.ProcMount != "Unmasked")
        {
            context.MaskedPaths.AddRange(_maskedPaths);
            context.ReadonlyPaths.AddRange(_readOnlyPaths);
        }

        return context;
    }

    private static void SetUser(LinuxContainerSecurityContext context, long? user, long? group, PulledImage image)
    {
        if (user is not null)
        {
            context.RunAsUser = new Int64Value { Value = user.Value };
        }
        else if (group is not null)
        {
            // CRI refuses a group without a user; without either the runtime takes both from the image.
            if (image.UserName.Length > 0)
            {
                context.RunAsUsername = image.UserName;
            }
            else
            {
                context.RunAsUser = new Int64Value { Value = image.User ?? 0 };
            }
        }

        if (group is not null)
        {
            context.RunAsGroup = new Int64Value { Value = group.Value };
        }
    }

    private static void RequireNonRoot(long? user, PulledImage image)
    {
        var complaint = user switch
        {
            0 => "container's runAsUser breaks non-root policy",
            not null => null,
            null when image.User is not null and not 0 => null,
            null when image.User is null && image.UserName.Length > 0 =>
                $"container has runAsNonRoot and image has non-numeric user ({image.UserName}), cannot verify user is non-root",
            null => "container has runAsNonRoot and image will run as root",
        };
        if (complaint is not null)
        {
            throw new ContainerStartException(WaitingReason.CreateContainerConfigError, complaint);
        }
    }
}
