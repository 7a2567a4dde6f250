using System.Text.Json;

namespace Kip.Agent.Runtime;

/// <summary>
/// What containerd adds to a verbose PodSandboxStatus under the key "info": JSON with, among other things, the sandbox's OCI runtime
/// specification.
/// </summary>
internal static class SandboxInfo
{
    /// <summary>The file that stands for the network namespace; null when the sandbox has none of its own.</summary>
    public static string? NetworkNamespace(string json)
    {
        try
        {
            using var info = JsonDocument.Parse(json);
            if (info.RootElement.TryGetProperty("runtimeSpec", out var spec)
                && spec.TryGetProperty("linux", out var linux)
                && linux.TryGetProperty("namespaces", out var namespaces))
            {
                foreach (var each in namespaces.EnumerateArray())
                {
                    if (each.GetProperty("type").GetString() == "network" && each.TryGetProperty("path", out var path))
                    {
                        return path.GetString();
                    }
                }
            }

            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidDataException($"The runtime's description of the sandbox cannot be read: {e.Message}", e);
        }
    }
}
