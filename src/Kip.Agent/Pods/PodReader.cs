using System.Net;
using System.Text.Json;
using Kip.Agent.Volumes;
using Kip.Agent.Volumes.Disks;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>Reads the pod of a request, and refuses what the agent could not run as written.</summary>
internal static class PodReader
{
    /// <exception cref="RpcException">InvalidArgument, with what is wrong.</exception>
    public static Pod Read(ApplyPodRequest request)
    {
        Pod pod;
        try
        {
            pod = KubernetesJson.DeserializePod(request.Pod.Span);
        }
        catch (JsonException e)
        {
            throw Invalid($"pod: {e.Message}");
        }

        Require(PodIdentity.Uid(pod).Length > 0, "metadata.uid: required");
        Require(PodIdentity.Name(pod).Length > 0, "metadata.name: required");
        Require(pod.Spec.Containers.Count > 0, "spec.containers: at least one is required");
        // These three become parts of paths.
        foreach (var text in (string[])[PodIdentity.Uid(pod), PodIdentity.Name(pod), PodIdentity.Namespace(pod)])
        {
            Require(IsPathSafe(text), $"metadata: '{text}' is no name");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var container in pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).Concat(pod.Spec.EphemeralContainers ?? []))
        {
            Require(IsPathSafe(container.Name), $"spec.containers: '{container.Name}' is no name");
            Require(names.Add(container.Name), $"spec.containers: '{container.Name}' is there twice");
        }

        if (UnsupportedFields.Find(pod) is { Count: > 0 } unsupported)
        {
            throw Invalid($"this version of the agent cannot run a pod with {string.Join(", ", unsupported)}");
        }

        if (AppArmor.Complaint(pod) is { } complaint)
        {
            throw Invalid(complaint);
        }

        var hostname = PodHostname.ForKernel(pod);
        Require(
            hostname.Length <= PodHostname.KernelLength,
            $"spec.setHostnameAsFQDN: '{hostname}' has {hostname.Length} characters, and a host name may have {PodHostname.KernelLength}");
        var needsAddress = pod.Spec.HostNetwork != true && request.PodAddress.Length > 0;
        Require(!needsAddress || IPAddress.TryParse(request.PodAddress, out _), $"pod_address: '{request.PodAddress}' is no IP address");
        return pod;
    }

    /// <summary>Checks the contents of volumes, which come with a request and are never recorded with it.</summary>
    /// <exception cref="RpcException">InvalidArgument, with what is wrong.</exception>
    public static void CheckVolumes(ApplyPodRequest request, Pod pod)
    {
        var contents = request.Volumes.Select(volume => volume.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var volume in pod.Spec.Volumes ?? [])
        {
            Require(IsPathSafe(volume.Name), $"spec.volumes: '{volume.Name}' is no name");
            Require(
                !PodVolumes.IsResolved(volume) || contents.Contains(volume.Name),
                $"spec.volumes: the contents of '{volume.Name}', which come from API objects, are missing");
        }

        foreach (var volume in (pod.Spec.Volumes ?? []).Where(PersistentVolumes.IsClaim))
        {
            Require(
                request.PersistentVolumes.Any(claim => claim.Name == volume.Name && claim.SourceCase != PersistentVolumeMount.SourceOneofCase.None),
                $"spec.volumes: what the claim of '{volume.Name}' is bound to is missing; only a cluster knows");
        }

        foreach (var claim in request.PersistentVolumes)
        {
            // It becomes part of the name of a program.
            Require(claim.FsType.All(char.IsAsciiLetterOrDigit), $"persistent_volumes: '{claim.FsType}' of '{claim.Name}' is no name of a file system");
            Require(claim.Device is null || claim.Device.Paths.All(path => path.StartsWith("/dev/", StringComparison.Ordinal)), $"persistent_volumes: a path of '{claim.Name}' is not below /dev");
        }

        foreach (var (volume, file) in request.Volumes.SelectMany(volume => volume.Files.Select(file => (volume, file))))
        {
            var parts = file.Path.Split('/');
            var isGood = !file.Path.Contains('\0', StringComparison.Ordinal)
                && !parts[0].StartsWith("..", StringComparison.Ordinal)
                && !parts.Any(part => part is "" or "." or "..");
            Require(isGood, $"volumes: '{file.Path}' in '{volume.Name}' is no path of a file");
            Require(file.Mode is >= 0 and <= 0b111_111_111, $"volumes: the mode of '{file.Path}' in '{volume.Name}' is not between 0 and 0777");
            Require(file.Owner is >= 0 and < uint.MaxValue, $"volumes: the owner of '{file.Path}' in '{volume.Name}' is no user id");
        }
    }

    private static bool IsPathSafe(string text) =>
        text.Length > 0 && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_') && text[0] != '.';

    private static void Require(bool holds, string message)
    {
        if (!holds)
        {
            throw Invalid(message);
        }
    }

    private static RpcException Invalid(string message) => new(StatusCode.InvalidArgument, message);
}
