using System.Globalization;
using Google.Protobuf.Collections;
using Kip.Agent.Runtime;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>An image that is on the cell.</summary>
/// <param name="Reference">What to create containers from.</param>
/// <param name="User">The numeric user the image names, or null.</param>
/// <param name="UserName">The user the image names, when it is no number.</param>
internal sealed record PulledImage(string Reference, long? User, string UserName);

/// <summary>Brings images to the cell by the container's pull policy.</summary>
internal sealed class ImagePuller(ICriRuntime runtime, StatusBoard board, Task archivesImported, TimeProvider time)
{
    /// <summary>Completes when every image archive of the cell is imported or has failed.</summary>
    public Task ArchivesImported { get; } = archivesImported;

    /// <summary>Makes sure that the container's image is there.</summary>
    /// <exception cref="ContainerStartException">It is not, and cannot be had.</exception>
    public async Task<PulledImage> EnsureAsync(
        Container container,
        RepeatedField<RegistryCredential> credentials,
        PodSandboxConfig sandbox,
        CancellationToken cancellationToken)
    {
        var name = container.Image ?? "";
        if (!ImageReference.TryParse(name, out var reference, out var problem))
        {
            var message = BadName(name, problem);
            board.Event("Warning", "InspectFailed", message, container.Name);
            throw new ContainerStartException(WaitingReason.InvalidImageName, message);
        }

        await ArchivesImported.WaitAsync(cancellationToken);
        var full = reference.ToString();
        var present = await InspectAsync(full, cancellationToken);
        switch (Policy(container, reference))
        {
            case "Never" when present is null:
                board.Event(
                    "Warning", "ErrImageNeverPull", $"Container image \"{name}\" is not present with pull policy of Never", container.Name);
                throw new ContainerStartException(
                    WaitingReason.ErrImageNeverPull, $"Container image \"{name}\" is not present with pull policy of Never");
            case "Never" or "IfNotPresent" when present is not null:
                board.Event("Normal", "Pulled", $"Container image \"{name}\" already present on machine", container.Name);
                return present;
            default:
                return await PullAsync(container, reference, credentials, sandbox, cancellationToken);
        }
    }

    /// <summary>Brings an image to the cell for a pod to come, unless it is there.</summary>
    /// <exception cref="ContainerStartException">It cannot be had.</exception>
    public async Task PrepareAsync(string name, RepeatedField<RegistryCredential> credentials, CancellationToken cancellationToken)
    {
        if (!ImageReference.TryParse(name, out var reference, out var problem))
        {
            throw new ContainerStartException(WaitingReason.InvalidImageName, BadName(name, problem));
        }

        await ArchivesImported.WaitAsync(cancellationToken);
        var full = reference.ToString();
        if (await InspectAsync(full, cancellationToken) is not null)
        {
            return;
        }

        try
        {
            await runtime.PullImageAsync(full, Credential(credentials, reference), null, cancellationToken);
        }
        catch (RpcException e) when (e.StatusCode is not StatusCode.Unavailable and not StatusCode.Cancelled)
        {
            throw new ContainerStartException(WaitingReason.ErrImagePull, e.Status.Detail, e);
        }
    }

    private static string BadName(string name, string problem) => $"Failed to apply default image tag \"{name}\": {problem}";

    /// <summary>The kubelet's default: an image whose tag is "latest" may have moved.</summary>
    internal static string Policy(Container container, ImageReference image) => container.ImagePullPolicy is { Length: > 0 } policy
        ? policy
        : image is { Tag: "latest", Digest: null } ? "Always" : "IfNotPresent";

    /// <summary>The credential whose registry, and path if it names one, fits the image most closely.</summary>
    internal static AuthConfig? Credential(RepeatedField<RegistryCredential> credentials, ImageReference image)
    {
        var best = credentials
            .Select(credential => (Credential: credential, Prefix: Normalize(credential.Registry)))
            .Where(candidate => image.Name == candidate.Prefix || image.Name.StartsWith(candidate.Prefix + "/", StringComparison.Ordinal))
            .OrderByDescending(candidate => candidate.Prefix.Length)
            .FirstOrDefault().Credential;
        return best is null
            ? null
            : new AuthConfig { Username = best.Username, Password = best.Password, IdentityToken = best.IdentityToken };
    }

    /// <summary>Docker's configuration files write registries in several ways.</summary>
    private static string Normalize(string registry)
    {
        var text = registry;
        foreach (var scheme in (string[])["https://", "http://"])
        {
            text = text.StartsWith(scheme, StringComparison.Ordinal) ? text[scheme.Length..] : text;
        }

        text = text.TrimEnd('/');
        return text is "index.docker.io/v1" or "index.docker.io" or "registry-1.docker.io" ? "docker.io" : text;
    }

    private async Task<PulledImage> PullAsync(
        Container container,
        ImageReference reference,
        RepeatedField<RegistryCredential> credentials,
        PodSandboxConfig sandbox,
        CancellationToken cancellationToken)
    {
        var name = container.Image!;
        board.Event("Normal", "Pulling", $"Pulling image \"{name}\"", container.Name);
        var started = time.GetTimestamp();
        try
        {
            await runtime.PullImageAsync(reference.ToString(), Credential(credentials, reference), sandbox, cancellationToken);
        }
        catch (RpcException e) when (e.StatusCode is not StatusCode.Unavailable and not StatusCode.Cancelled)
        {
            board.Event("Warning", "Failed", $"Failed to pull image \"{name}\": {e.Status.Detail}", container.Name);
            board.Event("Warning", "Failed", $"Error: {WaitingReason.ErrImagePull}", container.Name);
            throw new ContainerStartException(WaitingReason.ErrImagePull, e.Status.Detail, e);
        }

        var image = await runtime.ImageStatusAsync(reference.ToString(), cancellationToken)
            ?? throw new ContainerStartException(WaitingReason.ImageInspectError, $"Image \"{name}\" vanished after it was pulled");
        var took = Duration(time.GetElapsedTime(started));
        board.Event(
            "Normal",
            "Pulled",
            $"Successfully pulled image \"{name}\" in {took} ({took} including waiting). Image size: {image.Size} bytes.",
            container.Name);
        return ToPulled(image);
    }

    private async Task<PulledImage?> InspectAsync(string name, CancellationToken cancellationToken) =>
        await runtime.ImageStatusAsync(name, cancellationToken) is { } image ? ToPulled(image) : null;

    private static PulledImage ToPulled(Image image) => new(image.Id, image.Uid?.Value, image.Username);

    /// <summary>As Go prints durations.</summary>
    private static string Duration(TimeSpan time) => time < TimeSpan.FromSeconds(1)
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalMilliseconds}ms")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###}s");
}
