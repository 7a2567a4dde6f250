using System.CommandLine;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Host.Configuration;

/// <summary>A pod in a file, as commands take it.</summary>
internal static class PodFile
{
    /// <summary>The argument of the commands that take one. What looks like an option, and is none of the command's, is not a file's name.</summary>
    public static Argument<string> CreateArgument()
    {
        var argument = new Argument<string>("manifest") { Description = "A v1 Pod in YAML or JSON; - for standard input" };
        argument.Validators.Add(static result =>
        {
            if (result.Tokens is [{ Value: ['-', _, ..] option }])
            {
                result.AddError($"Unrecognized command or argument '{option}'.");
            }
        });
        return argument;
    }

    /// <summary>Reads a pod, sets the defaults that an API server would set, and checks it as one would.</summary>
    /// <param name="path">The file; <c>-</c> for standard input.</param>
    /// <param name="say">Takes warnings.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public static async Task<Pod> ReadAsync(string path, Action<string> say, CancellationToken cancellationToken)
    {
        PodManifest manifest;
        try
        {
            manifest = path == "-"
                ? Manifest.ReadPod(await Console.In.ReadToEndAsync(cancellationToken).ConfigureAwait(false), "standard input")
                : await Manifest.ReadPodAsync(path, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ManifestException or IOException or UnauthorizedAccessException)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }

        foreach (var warning in manifest.Warnings)
        {
            say($"warning: {warning}");
        }

        PodDefaults.Apply(manifest.Pod);
        List<FieldError> errors = [.. PodValidation.Validate(manifest.Pod), .. ImageErrors(manifest.Pod)];
        return errors.Count == 0
            ? manifest.Pod
            : throw new HostException(ExitCodes.Usage, $"{path}: the pod is not valid:\n  {string.Join("\n  ", errors)}");
    }

    // A cluster takes such a pod and waits for somebody to edit the name; here nobody can.
    private static IEnumerable<FieldError> ImageErrors(Pod pod)
    {
        foreach (var (list, containers) in new[] { ("initContainers", pod.Spec.InitContainers), ("containers", pod.Spec.Containers) })
        {
            for (var i = 0; i < containers?.Count; i++)
            {
                if (containers[i].Image is { Length: > 0 } image && !ImageReference.TryParse(image, out _, out var problem))
                {
                    yield return new FieldError($"spec.{list}[{i}].image", $"Invalid value: {problem}");
                }
            }
        }
    }
}
