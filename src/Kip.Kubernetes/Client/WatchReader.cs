using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>
/// Reads a watch: JSON objects such as <c>{"type":"ADDED","object":{…}}</c>, one a line (meta/v1 WatchEvent), parsed where they
/// lie in the receive buffers.
/// </summary>
internal static class WatchReader
{
    /// <summary>The longest line; an API server stores objects of 1.5 MB at most.</summary>
    public const int MaxLine = 32 * 1024 * 1024;

    /// <summary>Reads until the stream ends.</summary>
    /// <exception cref="KubernetesApiException">The API server tells of a failure, or sends what is no event.</exception>
    /// <exception cref="IOException">The stream is cut, within an event or by the connection.</exception>
    public static async IAsyncEnumerable<WatchEvent<T>> ReadAsync<T>(
        Stream stream, JsonTypeInfo<T> json, string call, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        var pipe = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true));
        try
        {
            while (true)
            {
                var read = await pipe.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    var line = buffer.Slice(0, end);
                    if (!IsBlank(line))
                    {
                        yield return Parse(line, json, call);
                    }

                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }

                if (read.IsCompleted)
                {
                    if (!IsBlank(buffer))
                    {
                        throw new IOException("the watch was cut within an event");
                    }

                    yield break;
                }

                if (buffer.Length > MaxLine)
                {
                    throw new KubernetesApiException($"{call}: an event is longer than {MaxLine} bytes", inner: null);
                }

                pipe.AdvanceTo(buffer.Start, buffer.End);
            }
        }
        finally
        {
            await pipe.CompleteAsync();
        }
    }

    private static bool IsBlank(ReadOnlySequence<byte> line)
    {
        foreach (var segment in line)
        {
            if (segment.Span.ContainsAnyExcept(" \t\r"u8))
            {
                return false;
            }
        }

        return true;
    }

    private static WatchEvent<T> Parse<T>(ReadOnlySequence<byte> line, JsonTypeInfo<T> json, string call)
        where T : class, IKubernetesObject
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            if (FindType(reader) is not { } type)
            {
                SeekObject(ref reader);
                throw ToException(JsonSerializer.Deserialize(ref reader, KubernetesJsonContext.Default.ApiStatus), call);
            }

            SeekObject(ref reader);
            return new WatchEvent<T>(type, JsonSerializer.Deserialize(ref reader, json) ?? throw new JsonException("the event has no object"));
        }
        catch (JsonException e)
        {
            throw new KubernetesApiException($"{call}: the API server sent what is no event: {e.Message}", e);
        }
    }

    /// <summary>The event's type; null for an error.</summary>
    private static WatchEventType? FindType(Utf8JsonReader reader)
    {
        Seek(ref reader, "type"u8);
        return reader.TokenType switch
        {
            JsonTokenType.String when reader.ValueTextEquals("ADDED"u8) => WatchEventType.Added,
            JsonTokenType.String when reader.ValueTextEquals("MODIFIED"u8) => WatchEventType.Modified,
            JsonTokenType.String when reader.ValueTextEquals("DELETED"u8) => WatchEventType.Deleted,
            JsonTokenType.String when reader.ValueTextEquals("BOOKMARK"u8) => WatchEventType.Bookmark,
            JsonTokenType.String when reader.ValueTextEquals("ERROR"u8) => null,
            _ => throw new JsonException("the event has an unknown type"),
        };
    }

    private static void SeekObject(ref Utf8JsonReader reader) => Seek(ref reader, "object"u8);

    private static void Seek(ref Utf8JsonReader reader, ReadOnlySpan<byte> property)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("the event is no object");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals(property))
            {
                reader.Read();
                return;
            }

            reader.Skip();
        }

        throw new JsonException("the event lacks its type or its object");
    }

    private static KubernetesApiException ToException(ApiStatus? status, string call) =>
        ApiFailure.FromStatus(call, (System.Net.HttpStatusCode)(status?.Code ?? 500), status, retryAfter: null);
}
