using System.Text;
using Kip.Agents;
using Kip.Kubernetes.Objects;
using Kip.Pods;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>Logins for pulling a pod's images, from the secrets that the pod and its service account name.</summary>
internal static class PullCredentials
{
    /// <summary>The names of the secrets: the pod's own first, each once.</summary>
    public static IReadOnlyList<string> Names(Pod pod, ServiceAccount? account) =>
        [.. (pod.Spec.ImagePullSecrets ?? []).Concat(account?.ImagePullSecrets ?? []).Select(static each => each.Name ?? "").Where(static name => name.Length > 0).Distinct()];

    /// <summary>The logins, and what is wrong with secrets that give none. A pull may succeed without them.</summary>
    public static (IReadOnlyList<RegistryCredential> Credentials, IReadOnlyList<string> Problems) Of(IEnumerable<string> names, ObjectSet objects)
    {
        var credentials = new List<RegistryCredential>();
        var problems = new List<string>();
        foreach (var name in names)
        {
            var source = $"Secret {objects.Namespace}/{name}";
            try
            {
                if (objects.Secret(name) is not { } secret)
                {
                    problems.Add($"{source} not found");
                }
                else if (Key(secret, ".dockerconfigjson") is { } file)
                {
                    credentials.AddRange(DockerConfig.Parse(file, source));
                }
                else if (Key(secret, ".dockercfg") is { } legacy)
                {
                    credentials.AddRange(DockerConfig.ParseLegacy(legacy, source));
                }
                else
                {
                    problems.Add($"{source} has neither .dockerconfigjson nor .dockercfg");
                }
            }
            catch (FormatException e)
            {
                problems.Add(e.Message);
            }
        }

        return (credentials, problems);
    }

    private static string? Key(Secret secret, string key) =>
        secret.Data is { } data && data.TryGetValue(key, out var bytes) ? Encoding.UTF8.GetString(bytes) : null;
}
