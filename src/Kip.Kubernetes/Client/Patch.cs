using System.Text;
using System.Text.Json.Nodes;

namespace Kip.Kubernetes.Client;

/// <summary>A change of an object, as JSON text.</summary>
public sealed class Patch
{
    private Patch(string mediaType, ReadOnlyMemory<byte> body)
    {
        MediaType = mediaType;
        Body = body;
    }

    /// <summary>The kind of patch, as HTTP names it.</summary>
    public string MediaType { get; }

    /// <summary>The patch as UTF-8 JSON.</summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>A merge patch (RFC 7396): fields replace, nulls remove, lists are replaced as a whole.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    public static Patch Merge(ReadOnlyMemory<byte> json) => new("application/merge-patch+json", json);

    /// <summary>A merge patch (RFC 7396): fields replace, nulls remove, lists are replaced as a whole.</summary>
    public static Patch Merge(JsonObject json) => Merge(ToUtf8(json));

    /// <summary>A strategic merge patch: as a merge patch, but lists with a key are merged by it. Not for custom resources.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    public static Patch StrategicMerge(ReadOnlyMemory<byte> json) => new("application/strategic-merge-patch+json", json);

    /// <summary>A strategic merge patch: as a merge patch, but lists with a key are merged by it. Not for custom resources.</summary>
    public static Patch StrategicMerge(JsonObject json) => StrategicMerge(ToUtf8(json));

    /// <summary>A JSON patch (RFC 6902): a list of operations, of which all or none take effect.</summary>
    /// <param name="json">UTF-8 JSON.</param>
    public static Patch Json(ReadOnlyMemory<byte> json) => new("application/json-patch+json", json);

    /// <summary>A JSON patch (RFC 6902): a list of operations, of which all or none take effect.</summary>
    public static Patch Json(JsonArray json) => Json(ToUtf8(json));

    private static byte[] ToUtf8(JsonNode json)
    {
        ArgumentNullException.ThrowIfNull(json);
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }
}
