using System.Collections.Frozen;
using System.Net.Http.Headers;

namespace Kip.Grpc.Wire;

/// <summary>Metadata as HTTP headers.</summary>
internal static class MetadataWire
{
    private static readonly FrozenSet<string> Reserved = new[]
    {
        "te", "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
        Names.Timeout, Names.Encoding, Names.AcceptEncoding, Names.Status, Names.Message, "grpc-message-type",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool IsBinaryKey(string key) => key.EndsWith("-bin", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a header belongs to HTTP or to gRPC itself rather than to the application.</summary>
    public static bool IsReserved(string key) =>
        key.StartsWith(':') || key.StartsWith("content-", StringComparison.OrdinalIgnoreCase) || Reserved.Contains(key);

    /// <summary>The value of an entry as it goes into a header; base64 goes unpadded, as the protocol asks.</summary>
    public static string Encode(in MetadataEntry entry) =>
        entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes.Span).TrimEnd('=') : entry.Value;

    /// <summary>Appends one received header line; one line may carry several binary values, parted by commas.</summary>
    /// <exception cref="RpcException">A binary value is not base64 (Internal).</exception>
    public static void Decode(Metadata into, string name, string value)
    {
        if (IsReserved(name))
        {
            return;
        }

        // HTTP/2 names are lower case; HttpClient normalises the ones it knows ("Server").
        string key = name.ToLowerInvariant();
        if (!IsBinaryKey(key))
        {
            into.AddReceived(new MetadataEntry(key, value));
            return;
        }

        foreach (Range part in value.AsSpan().Split(','))
        {
            into.AddReceived(new MetadataEntry(key, DecodeBase64(key, value.AsSpan()[part].Trim())));
        }
    }

    public static Metadata Decode(HttpHeaders headers)
    {
        var metadata = new Metadata();
        foreach ((string name, HeaderStringValues values) in headers.NonValidated)
        {
            foreach (string value in values)
            {
                Decode(metadata, name, value);
            }
        }

        return metadata;
    }

    private static byte[] DecodeBase64(string key, ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> bare = text.TrimEnd('=');
        string padded = string.Concat(bare, "===".AsSpan(0, (4 - (bare.Length % 4)) % 4));
        try
        {
            return Convert.FromBase64String(padded);
        }
        catch (FormatException e)
        {
            throw new RpcException(StatusCode.Internal, $"Metadata '{key}' is not base64.", inner: e);
        }
    }
}
