using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Kip.Drivers.Aws;

/// <summary>Wraps what the agent reads into cloud-init's user data: compressed, in base64, always the same bytes for the same text.</summary>
internal static class CellUserData
{
    /// <summary>EC2's limit, before base64.</summary>
    public const int MaxBytes = 16 << 10;

    private static readonly string CloudConfig = ReadResource("cloud-config.yaml");
    internal static readonly string Script = ReadResource("kip-cell");

    /// <summary>Makes the user data.</summary>
    /// <param name="cell">What the agent reads at its start.</param>
    /// <param name="agentUrl">Where cells get the agent that do not have it; may be null.</param>
    /// <param name="agentSha256">SHA-256 of the agent; may be null.</param>
    /// <exception cref="DriverException">It is larger than EC2 allows.</exception>
    public static string Encode(string cell, Uri? agentUrl, string? agentSha256)
    {
        var compressed = Compress(MakeCloudConfig(cell, agentUrl, agentSha256));
        return compressed.Length <= MaxBytes
            ? Convert.ToBase64String(compressed)
            : throw new DriverException(
                DriverErrorKind.InvalidConfiguration,
                $"the cell's user data takes {compressed.Length} bytes compressed, and EC2 allows {MaxBytes}: configure fewer or shorter registries");
    }

    internal static string MakeCloudConfig(string cell, Uri? agentUrl, string? agentSha256)
    {
        var environment = new StringBuilder();
        if (agentUrl is not null)
        {
            environment.Append("KIP_AGENT_URL=").Append(agentUrl.AbsoluteUri).Append('\n');
        }

        if (agentSha256 is not null)
        {
            environment.Append("KIP_AGENT_SHA256=").Append(agentSha256.ToLowerInvariant()).Append('\n');
        }

        return CloudConfig
            .Replace("${CELL}", Quote(cell), StringComparison.Ordinal)
            .Replace("${AGENT}", Quote(environment.ToString()), StringComparison.Ordinal)
            .Replace("${SCRIPT}", Quote(Script), StringComparison.Ordinal);
    }

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";

    private static byte[] Compress(string text)
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return buffer.ToArray();
    }

    private static string ReadResource(string name)
    {
        using var stream = typeof(CellUserData).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not embedded");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
