using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Streaming;

/// <summary>Names that the remotecommand protocol uses on the wire (k8s.io/apimachinery/pkg/util/remotecommand).</summary>
internal static class RemoteCommandProtocol
{
    public const string V1 = "channel.k8s.io";
    public const string V2 = "v2.channel.k8s.io";
    public const string V3 = "v3.channel.k8s.io";
    public const string V4 = "v4.channel.k8s.io";
    public const string V5 = "v5.channel.k8s.io";
    public const string V1Base64 = "base64.channel.k8s.io";
    public const string V4Base64 = "v4.base64.channel.k8s.io";

    public const string StreamType = "streamType";
    public const string ErrorStream = "error";
    public const string InputStream = "stdin";
    public const string OutputStream = "stdout";
    public const string ErrorOutputStream = "stderr";
    public const string ResizeStream = "resize";

    /// <summary>An error stream carries at most this much; more is a peer gone wild.</summary>
    public const int MaxStatusBytes = 64 * 1024;

    /// <summary>The streams of a session over SPDY, in the order in which clients open them.</summary>
    public static IEnumerable<string> StreamTypes(RemoteCommandStreams streams, string protocol)
    {
        yield return ErrorStream;
        if (streams.Input)
        {
            yield return InputStream;
        }

        if (streams.Output)
        {
            yield return OutputStream;
        }

        if (streams.ErrorOutput && !streams.Tty)
        {
            yield return ErrorOutputStream;
        }

        if (streams.Tty && protocol is not (V1 or V2))
        {
            yield return ResizeStream;
        }
    }
}

/// <summary>The size of a terminal, as it goes over the wire.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
public readonly record struct TerminalSize(
    [property: JsonPropertyName("Width")] ushort Width, [property: JsonPropertyName("Height")] ushort Height);
