using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

using Google.Protobuf;

namespace Kip.Grpc.Wire;

/// <summary>Messages on a stream: one byte of flags, four bytes of length (big endian), the message.</summary>
internal static class MessageFraming
{
    public const int HeaderSize = 5;

    /// <summary>The size of a message, checked against a limit.</summary>
    /// <exception cref="RpcException">The message is larger than <paramref name="maxSize"/> (ResourceExhausted).</exception>
    public static int MeasureToSend(IMessage message, int? maxSize)
    {
        int size = message.CalculateSize();
        return size <= (maxSize ?? int.MaxValue)
            ? size
            : throw new RpcException(
                StatusCode.ResourceExhausted, $"The message to send has {size} bytes; the limit of the sender is {maxSize}.");
    }

    public static void WriteHeader(Span<byte> header, int size)
    {
        header[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], size);
    }

    /// <summary>Writes one message without flushing.</summary>
    public static void Write(PipeWriter writer, IMessage message, int? maxSize)
    {
        int size = MeasureToSend(message, maxSize);
        WriteHeader(writer.GetSpan(HeaderSize), size);
        writer.Advance(HeaderSize);
        if (size > 0)
        {
            message.WriteTo(writer);
        }
    }

    /// <summary>Reads the next message; null at the end of the stream.</summary>
    /// <exception cref="RpcException">
    /// The frame is cut off or malformed (Internal), compressed (Unimplemented), or larger than <paramref name="maxSize"/>
    /// (ResourceExhausted).
    /// </exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T?> ReadAsync<T>(
        PipeReader reader, MessageParser<T> parser, int? maxSize, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        while (true)
        {
            ReadResult result = await reader.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (TryGetMessage(buffer, maxSize, out ReadOnlySequence<byte> bytes))
            {
                T message = Parse(parser, bytes);
                reader.AdvanceTo(bytes.End);
                return message;
            }

            if (result.IsCompleted)
            {
                return buffer.IsEmpty
                    ? null
                    : throw new RpcException(
                        StatusCode.Internal, $"The stream ended inside a message: {buffer.Length} bytes of a frame that is longer.");
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>Reads the one message of a stream that must carry exactly one; null if there is none.</summary>
    /// <exception cref="RpcException">As for <see cref="ReadAsync"/>, and when there is a second message (Internal).</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<T?> ReadSingleAsync<T>(
        PipeReader reader, MessageParser<T> parser, int? maxSize, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        T? message = await ReadAsync(reader, parser, maxSize, cancellationToken);
        if (message is not null && await ReadAsync(reader, parser, maxSize, cancellationToken) is not null)
        {
            throw new RpcException(StatusCode.Internal, "The stream carries more than one message where one is expected.");
        }

        return message;
    }

    private static bool TryGetMessage(in ReadOnlySequence<byte> buffer, int? maxSize, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (buffer.Length < HeaderSize)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[HeaderSize];
        buffer.Slice(0, HeaderSize).CopyTo(header);
        if (header[0] == 1)
        {
            throw new RpcException(StatusCode.Unimplemented, "The message is compressed; only the identity encoding is supported.");
        }

        if (header[0] != 0)
        {
            throw new RpcException(StatusCode.Internal, $"The message has the unknown flags 0x{header[0]:x2}: this is no gRPC frame.");
        }

        uint size = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (size > (uint)(maxSize ?? int.MaxValue))
        {
            throw new RpcException(
                StatusCode.ResourceExhausted,
                $"The message received has {size} bytes; the limit of the receiver is {maxSize ?? int.MaxValue}.");
        }

        if (buffer.Length < HeaderSize + size)
        {
            return false;
        }

        message = buffer.Slice(HeaderSize, size);
        return true;
    }

    private static T Parse<T>(MessageParser<T> parser, in ReadOnlySequence<byte> bytes)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new RpcException(StatusCode.Internal, $"The bytes received are no {typeof(T).Name}: {e.Message}", inner: e);
        }
    }
}
