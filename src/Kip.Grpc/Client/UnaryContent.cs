using System.Buffers;
using System.Net;

using Google.Protobuf;

using Kip.Grpc.Wire;

namespace Kip.Grpc.Client;

/// <summary>A request body of one message, sent in one write from a pooled buffer.</summary>
internal sealed class UnaryContent(IMessage message, int size) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        int length = MessageFraming.HeaderSize + size;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            MessageFraming.WriteHeader(buffer, size);
            message.WriteTo(buffer.AsSpan(MessageFraming.HeaderSize, size));
            await stream.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Without content-length, as every gRPC client does it: some servers reject the header.
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
