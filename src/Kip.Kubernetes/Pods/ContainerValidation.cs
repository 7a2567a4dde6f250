using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>Checks a pod's containers; see <see cref="PodValidation"/>.</summary>
internal static class ContainerValidation
{
    private const string Sidecar = "init containers without restartPolicy=Always";

    /// <param name="spec">The pod.</param>
    /// <param name="volumes">Names of its volumes.</param>
    /// <param name="errors">Where complaints go.</param>
    public static void Validate(PodSpec spec, IReadOnlySet<string> volumes, FieldErrors errors)
    {
        if (spec.Containers.Count == 0)
        {
            errors.Required("spec.containers");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        var hostPorts = new HashSet<(string?, int, string)>();
        var initContainers = spec.InitContainers ?? [];
        for (var i = 0; i < initContainers.Count; i++)
        {
            var field = $"spec.initContainers[{i}]";
            ValidateOne(initContainers[i], field);
            ValidateInit(initContainers[i], field, errors);
        }

        for (var i = 0; i < spec.Containers.Count; i++)
        {
            var field = $"spec.containers[{i}]";
            ValidateOne(spec.Containers[i], field);
        }

        void ValidateOne(Container container, string field)
        {
            ValidateName(container.Name, $"{field}.name", names, errors);
            ValidateImage(container, field, errors);
            ValidatePorts(container.Ports ?? [], $"{field}.ports", hostPorts, errors);
            ValidateEnv(container.Env ?? [], $"{field}.env", errors);
            ValidateMounts(container.VolumeMounts ?? [], $"{field}.volumeMounts", volumes, errors);
            ResourceValidation.Validate(container.Resources, $"{field}.resources", errors);
            ProbeValidation.Validate(container, field, errors);
            ValidateRestart(container, field, errors);
            errors.OneOf($"{field}.terminationMessagePolicy", container.TerminationMessagePolicy, "File", "FallbackToLogsOnError");
        }
    }

    private static void ValidateInit(Container container, string field, FieldErrors errors)
    {
        if (container.RestartPolicy == RestartPolicy.Always)
        {
            return;
        }

        Forbid("lifecycle", container.Lifecycle);
        Forbid("livenessProbe", container.LivenessProbe);
        Forbid("readinessProbe", container.ReadinessProbe);
        Forbid("startupProbe", container.StartupProbe);

        void Forbid(string name, ApiObject? value)
        {
            if (value is not null)
            {
                errors.Forbidden($"{field}.{name}", $"may not be set for {Sidecar}");
            }
        }
    }

    private static void ValidateRestart(Container container, string field, FieldErrors errors)
    {
        errors.OneOf($"{field}.restartPolicy", container.RestartPolicy, RestartPolicy.Always, RestartPolicy.Never, RestartPolicy.OnFailure);
        for (var i = 0; i < (container.RestartPolicyRules?.Count ?? 0); i++)
        {
            var (rule, path) = (container.RestartPolicyRules![i], $"{field}.restartPolicyRules[{i}]");
            if (container.RestartPolicy is null)
            {
                errors.Required($"{field}.restartPolicy", "must specify restartPolicy when restart rules are used");
            }

            errors.OneOf($"{path}.action", rule.Action, "Restart");
            if (rule.ExitCodes is not { Values.Count: > 0 } codes)
            {
                errors.Required($"{path}.exitCodes.values");
                continue;
            }

            errors.OneOf($"{path}.exitCodes.operator", codes.Operator, "In", "NotIn");
        }
    }

    private static void ValidateName(string name, string field, HashSet<string> taken, FieldErrors errors)
    {
        if (name.Length == 0)
        {
            errors.Required(field);
        }
        else if (Names.DnsLabel(name) is { } problem)
        {
            errors.Invalid(field, name, problem);
        }
        else if (!taken.Add(name))
        {
            errors.Duplicate(field, name);
        }
    }

    private static void ValidateImage(Container container, string field, FieldErrors errors)
    {
        if (string.IsNullOrEmpty(container.Image))
        {
            errors.Required($"{field}.image");
        }
        else if (container.Image.Trim() != container.Image)
        {
            errors.Invalid($"{field}.image", container.Image, "must not have leading or trailing whitespace");
        }

        errors.OneOf(
            $"{field}.imagePullPolicy",
            container.ImagePullPolicy,
            ImagePullPolicy.Always,
            ImagePullPolicy.IfNotPresent,
            ImagePullPolicy.Never);
    }

    private static void ValidatePorts(
        List<ContainerPort> ports, string field, HashSet<(string?, int, string)> hostPorts, FieldErrors errors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < ports.Count; i++)
        {
            var port = ports[i];
            var at = $"{field}[{i}]";
            if (!string.IsNullOrEmpty(port.Name))
            {
                if (Names.PortName(port.Name) is { } problem)
                {
                    errors.Invalid($"{at}.name", port.Name, problem);
                }
                else if (!names.Add(port.Name))
                {
                    errors.Duplicate($"{at}.name", port.Name);
                }
            }

            if (port.Port == 0)
            {
                errors.Required($"{at}.containerPort");
            }
            else
            {
                ProbeValidation.ValidatePort(port.Port, $"{at}.containerPort", errors);
            }

            if (port.HostPort is { } hostPort and not 0)
            {
                ProbeValidation.ValidatePort(hostPort, $"{at}.hostPort", errors);
                if (!hostPorts.Add((port.HostIP, hostPort, port.Protocol ?? "TCP")))
                {
                    errors.Duplicate($"{at}.hostPort", hostPort);
                }
            }

            errors.OneOf($"{at}.protocol", port.Protocol, "SCTP", "TCP", "UDP");
        }
    }

    private static void ValidateEnv(List<EnvVar> variables, string field, FieldErrors errors)
    {
        for (var i = 0; i < variables.Count; i++)
        {
            var variable = variables[i];
            var at = $"{field}[{i}]";
            if (variable.Name.Length == 0)
            {
                errors.Required($"{at}.name");
            }
            else if (Names.EnvVar(variable.Name) is { } problem)
            {
                errors.Invalid($"{at}.name", variable.Name, problem);
            }

            if (variable.ValueFrom is { } source)
            {
                ValidateEnvSource(variable, source, $"{at}.valueFrom", errors);
            }
        }
    }

    private static void ValidateEnvSource(EnvVar variable, EnvVarSource source, string field, FieldErrors errors)
    {
        ApiObject?[] sources =
            [source.FieldRef, source.ResourceFieldRef, source.ConfigMapKeyRef, source.SecretKeyRef, source.FileKeyRef];
        var count = sources.Count(one => one is not null) + (source.Unknown?.Count ?? 0);
        if (count == 0)
        {
            errors.Invalid(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
        }
        else if (!string.IsNullOrEmpty(variable.Value))
        {
            errors.Invalid(field, "", "may not be specified when `value` is not empty");
        }
        else if (count > 1)
        {
            errors.Invalid(field, "", "may not have more than one field specified at a time");
        }

        RequireKey(source.ConfigMapKeyRef, "configMapKeyRef");
        RequireKey(source.SecretKeyRef, "secretKeyRef");
        if (source.FieldRef is { FieldPath: "" })
        {
            errors.Required($"{field}.fieldRef.fieldPath");
        }

        if (source.ResourceFieldRef is { Resource: "" })
        {
            errors.Required($"{field}.resourceFieldRef.resource");
        }

        void RequireKey(KeySelector? selector, string name)
        {
            if (selector is { Key: "" })
            {
                errors.Required($"{field}.{name}.key");
            }

            if (selector is not null && string.IsNullOrEmpty(selector.Name))
            {
                errors.Required($"{field}.{name}.name");
            }
        }
    }

    private static void ValidateMounts(List<VolumeMount> mounts, string field, IReadOnlySet<string> volumes, FieldErrors errors)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < mounts.Count; i++)
        {
            var mount = mounts[i];
            var at = $"{field}[{i}]";
            if (mount.Name.Length == 0)
            {
                errors.Required($"{at}.name");
            }
            else if (!volumes.Contains(mount.Name))
            {
                errors.NotFound($"{at}.name", mount.Name);
            }

            if (mount.MountPath.Length == 0)
            {
                errors.Required($"{at}.mountPath");
            }
            else if (!paths.Add(mount.MountPath))
            {
                errors.Invalid($"{at}.mountPath", mount.MountPath, "must be unique");
            }

            ValidateSubPath(mount.SubPath, $"{at}.subPath", errors);
            ValidateSubPath(mount.SubPathExpr, $"{at}.subPathExpr", errors);
            if (!string.IsNullOrEmpty(mount.SubPath) && !string.IsNullOrEmpty(mount.SubPathExpr))
            {
                errors.Invalid($"{at}.subPathExpr", mount.SubPathExpr, "subPathExpr and subPath are mutually exclusive");
            }

            errors.OneOf($"{at}.mountPropagation", mount.MountPropagation, "Bidirectional", "HostToContainer", "None");
        }
    }

    private static void ValidateSubPath(string? path, string field, FieldErrors errors)
    {
        if (path is ['/', ..])
        {
            errors.Invalid(field, path, "must be a relative path");
        }

        VolumeValidation.ValidateNoParent(path, field, errors);
    }
}
