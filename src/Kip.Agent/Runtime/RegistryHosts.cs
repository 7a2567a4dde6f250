using System.Text;
using Kip.Agent.CommandLine;
using Kip.Agent.State;

namespace Kip.Agent.Runtime;

/// <summary>
/// Tells containerd how to reach registries: one <c>hosts.toml</c> for each, read at every pull.
/// Format: https://github.com/containerd/containerd/blob/main/docs/hosts.md.
/// </summary>
internal static class RegistryHosts
{
    public static void Write(string directory, IEnumerable<Registry> registries)
    {
        foreach (var registry in registries)
        {
            var folder = Directory.CreateDirectory(Path.Combine(directory, registry.Host)).FullName;
            AtomicFile.Write(Path.Combine(folder, "hosts.toml"), Encoding.UTF8.GetBytes(Toml(registry)), AtomicFile.Public);
        }
    }

    internal static string Toml(Registry registry)
    {
        // A mirror that is the registry itself (plain http) takes the place of the https address, so that a failed pull
        // ends with its error and not with that of a TLS handshake nobody wanted.
        var own = registry.Mirrors.FirstOrDefault(mirror => string.Equals(mirror.Authority, registry.Host, StringComparison.OrdinalIgnoreCase));
        var server = own is not null ? Address(own)
            : registry.Host == "docker.io" ? "https://registry-1.docker.io"
            : $"https://{registry.Host}";
        var text = new StringBuilder().Append("server = ").AppendLine(Quote(server));
        foreach (var mirror in registry.Mirrors)
        {
            text.AppendLine().Append("[host.").Append(Quote(Address(mirror))).AppendLine("]")
                .AppendLine("  capabilities = [\"pull\", \"resolve\"]");
            if (registry.InsecureSkipVerify)
            {
                text.AppendLine("  skip_verify = true");
            }
        }

        return text.ToString();
    }

    private static string Address(Uri uri) => uri.AbsoluteUri.TrimEnd('/');

    private static string Quote(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
