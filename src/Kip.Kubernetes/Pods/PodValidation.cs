using System.Net;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>Checks a pod as the API server would, for pods that never saw one.</summary>
public static class PodValidation
{
    /// <summary>
    /// What is wrong with a pod, in the API server's words; empty when nothing is. Works on pods with and without
    /// defaults (<see cref="PodDefaults"/>).
    /// </summary>
    public static IReadOnlyList<FieldError> Validate(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        var errors = new FieldErrors();
        ValidateMetadata(pod.Metadata, errors);
        ValidateSpec(pod.Spec, errors);
        return errors.All;
    }

    private static void ValidateMetadata(ObjectMeta metadata, FieldErrors errors)
    {
        if (!string.IsNullOrEmpty(metadata.Name))
        {
            Name("metadata.name", metadata.Name, Names.DnsSubdomain);
        }
        else if (string.IsNullOrEmpty(metadata.GenerateName))
        {
            errors.Required("metadata.name", "name or generateName is required");
        }
        else
        {
            // The made-up end follows a dash that may close the prefix.
            Name("metadata.generateName", metadata.GenerateName.TrimEnd('-'), Names.DnsSubdomain);
        }

        if (!string.IsNullOrEmpty(metadata.Namespace))
        {
            Name("metadata.namespace", metadata.Namespace, Names.DnsLabel);
        }

        foreach (var (key, value) in metadata.Labels ?? [])
        {
            Name("metadata.labels", key, Names.QualifiedName);
            Name("metadata.labels", value, Names.LabelValue);
        }

        foreach (var key in metadata.Annotations?.Keys ?? Enumerable.Empty<string>())
        {
            Name("metadata.annotations", key.ToLowerInvariant(), Names.QualifiedName);
        }

        void Name(string field, string value, Func<string, string?> check)
        {
            if (check(value) is { } problem)
            {
                errors.Invalid(field, value, problem);
            }
        }
    }

    private static void ValidateSpec(PodSpec spec, FieldErrors errors)
    {
        var volumes = VolumeValidation.Validate(spec.Volumes ?? [], errors);
        ContainerValidation.Validate(spec, volumes, errors);

        errors.OneOf("spec.restartPolicy", spec.RestartPolicy, RestartPolicy.Always, RestartPolicy.OnFailure, RestartPolicy.Never);
        errors.OneOf("spec.dnsPolicy", spec.DnsPolicy, "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None");
        errors.AtLeast("spec.terminationGracePeriodSeconds", spec.TerminationGracePeriodSeconds, 0);
        errors.AtLeast("spec.activeDeadlineSeconds", spec.ActiveDeadlineSeconds, 1);
        Label("spec.hostname", spec.Hostname);
        Label("spec.subdomain", spec.Subdomain);
        if (spec.DnsPolicy == "None" && spec.DnsConfig?.Nameservers is not { Count: > 0 })
        {
            errors.Required("spec.dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None");
        }

        var nameservers = spec.DnsConfig?.Nameservers ?? [];
        for (var i = 0; i < nameservers.Count; i++)
        {
            Address($"spec.dnsConfig.nameservers[{i}]", nameservers[i]);
        }

        var aliases = spec.HostAliases ?? [];
        for (var i = 0; i < aliases.Count; i++)
        {
            Address($"spec.hostAliases[{i}].ip", aliases[i].Ip);
            var hostnames = aliases[i].Hostnames ?? [];
            for (var j = 0; j < hostnames.Count; j++)
            {
                if (Names.DnsSubdomain(hostnames[j]) is { } problem)
                {
                    errors.Invalid($"spec.hostAliases[{i}].hostnames[{j}]", hostnames[j], problem);
                }
            }
        }

        void Label(string field, string? value)
        {
            if (!string.IsNullOrEmpty(value) && Names.DnsLabel(value) is { } problem)
            {
                errors.Invalid(field, value, problem);
            }
        }

        void Address(string field, string value)
        {
            if (!IPAddress.TryParse(value, out _))
            {
                errors.Invalid(field, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
            }
        }
    }
}
