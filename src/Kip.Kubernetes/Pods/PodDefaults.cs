using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>Fills a pod in as the API server would, for pods that never saw one.</summary>
public static class PodDefaults
{
    private const int FileMode = 420; // 0644
    private const int TokenSeconds = 3600;
    private const int GraceSeconds = 30;
    private const int GeneratedLength = 5;
    private const int MaxGeneratedPrefix = 58;

    /// <summary>Letters the API server makes names of: no vowels, hence no words.</summary>
    private const string NameLetters = "bcdfghjklmnpqrstvwxz2456789";

    /// <summary>
    /// Sets what is missing: namespace, name from generateName, uid, creation time, restart policy, grace period,
    /// image pull policies, requests from limits, probe thresholds and the other defaults of the v1 API.
    /// </summary>
    /// <param name="pod">The pod; it is changed.</param>
    /// <param name="time">Gives the creation time; the system's clock when null.</param>
    /// <param name="random">Gives name and uid; <see cref="Random.Shared"/> when null.</param>
    public static void Apply(Pod pod, TimeProvider? time = null, Random? random = null)
    {
        ArgumentNullException.ThrowIfNull(pod);
        pod.ApiVersion ??= "v1";
        pod.Kind ??= "Pod";
        Apply(pod.Metadata, time ?? TimeProvider.System, random ?? Random.Shared);
        Apply(pod.Spec);
    }

    private static void Apply(ObjectMeta metadata, TimeProvider time, Random random)
    {
        if (string.IsNullOrEmpty(metadata.Namespace))
        {
            metadata.Namespace = "default";
        }

        if (string.IsNullOrEmpty(metadata.Name) && !string.IsNullOrEmpty(metadata.GenerateName))
        {
            var prefix = metadata.GenerateName[..Math.Min(metadata.GenerateName.Length, MaxGeneratedPrefix)];
            metadata.Name = prefix + random.GetString(NameLetters, GeneratedLength);
        }

        if (string.IsNullOrEmpty(metadata.Uid))
        {
            metadata.Uid = NewUid(random);
        }

        metadata.CreationTimestamp ??= time.GetUtcNow();
    }

    private static void Apply(PodSpec spec)
    {
        spec.RestartPolicy ??= RestartPolicy.Always;
        spec.TerminationGracePeriodSeconds ??= GraceSeconds;
        spec.DnsPolicy ??= "ClusterFirst";
        spec.EnableServiceLinks ??= true;
        spec.SecurityContext ??= new PodSecurityContext();
        foreach (var container in (spec.InitContainers ?? []).Concat(spec.Containers))
        {
            Apply(container, spec.HostNetwork == true);
        }

        foreach (var volume in spec.Volumes ?? [])
        {
            Apply(volume);
        }
    }

    private static void Apply(Container container, bool hostNetwork)
    {
        container.ImagePullPolicy ??= PullPolicy(container.Image);
        container.TerminationMessagePath ??= "/dev/termination-log";
        container.TerminationMessagePolicy ??= "File";
        foreach (var port in container.Ports ?? [])
        {
            port.Protocol ??= "TCP";
            if (hostNetwork)
            {
                port.HostPort ??= port.Port;
            }
        }

        foreach (var variable in container.Env ?? [])
        {
            if (variable.ValueFrom?.FieldRef is { } field)
            {
                field.ApiVersion ??= "v1";
            }
        }

        if (container.Resources is { Limits: { } limits } resources)
        {
            resources.Requests ??= [];
            foreach (var (name, limit) in limits)
            {
                resources.Requests.TryAdd(name, limit);
            }
        }

        Apply(container.LivenessProbe);
        Apply(container.ReadinessProbe);
        Apply(container.StartupProbe);
        Apply(container.Lifecycle?.PostStart?.HttpGet);
        Apply(container.Lifecycle?.PreStop?.HttpGet);
    }

    private static void Apply(Probe? probe)
    {
        if (probe is null)
        {
            return;
        }

        probe.TimeoutSeconds = OrDefault(probe.TimeoutSeconds, 1);
        probe.PeriodSeconds = OrDefault(probe.PeriodSeconds, 10);
        probe.SuccessThreshold = OrDefault(probe.SuccessThreshold, 1);
        probe.FailureThreshold = OrDefault(probe.FailureThreshold, 3);
        Apply(probe.HttpGet);

        // The API has no way to tell 0 from absent here.
        static int OrDefault(int? value, int fallback) => value is null or 0 ? fallback : value.Value;
    }

    private static void Apply(HttpGetAction? action)
    {
        if (action is not null)
        {
            action.Path = string.IsNullOrEmpty(action.Path) ? "/" : action.Path;
            action.Scheme = string.IsNullOrEmpty(action.Scheme) ? "HTTP" : action.Scheme;
        }
    }

    private static void Apply(Volume volume)
    {
        if (VolumeKind.SourcesOf(volume).Count == 0)
        {
            volume.EmptyDir = new EmptyDirVolumeSource();
        }

        if (volume.Secret is { } secret)
        {
            secret.DefaultMode ??= FileMode;
        }

        if (volume.ConfigMap is { } configMap)
        {
            configMap.DefaultMode ??= FileMode;
        }

        if (volume.DownwardAPI is { } downward)
        {
            downward.DefaultMode ??= FileMode;
            Apply(downward.Items);
        }

        if (volume.HostPath is { } hostPath)
        {
            hostPath.Type ??= "";
        }

        if (volume.Projected is { } projected)
        {
            projected.DefaultMode ??= FileMode;
            foreach (var source in projected.Sources ?? [])
            {
                Apply(source.DownwardAPI?.Items);
                if (source.ServiceAccountToken is { } token)
                {
                    token.ExpirationSeconds ??= TokenSeconds;
                }
            }
        }
    }

    private static void Apply(List<DownwardApiVolumeFile>? files)
    {
        foreach (var file in files ?? [])
        {
            if (file.FieldRef is { } field)
            {
                field.ApiVersion ??= "v1";
            }
        }
    }

    private static string PullPolicy(string? image) =>
        ImageReference.TryParse(image, out var reference, out _) && reference.Tag != "latest"
            ? ImagePullPolicy.IfNotPresent
            : ImagePullPolicy.Always;

    /// <summary>A random (version 4) UUID.</summary>
    private static string NewUid(Random random)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }
}
