using System.Buffers;
using System.Text.Json;

namespace Kip.Kubernetes.Streaming;

/// <summary>Reads terminal sizes: JSON objects one after another, with any white space between them.</summary>
internal static class TerminalSizeReader
{
    private const int MaxObjectSize = 1024;

    /// <summary>Takes the next size off <paramref name="buffer"/>; false when it is not all there yet.</summary>
    /// <exception cref="JsonException">What is there is no size.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, out TerminalSize size)
    {
        size = default;
        var reader = new Utf8JsonReader(buffer, isFinalBlock: false, new JsonReaderState(new() { AllowMultipleValues = true }));
        if (!reader.Read() || !reader.TrySkip())
        {
            return buffer.Length <= MaxObjectSize ? false : throw new JsonException("a terminal size that does not end");
        }

        var json = buffer.Slice(0, reader.BytesConsumed);
        buffer = buffer.Slice(reader.BytesConsumed);
        var jsonReader = new Utf8JsonReader(json);
        size = JsonSerializer.Deserialize(ref jsonReader, RemoteCommandJsonContext.Default.TerminalSize);
        return true;
    }
}
