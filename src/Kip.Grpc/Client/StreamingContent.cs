using System.IO.Pipelines;
using System.Net;

using Google.Protobuf;

using Kip.Grpc.Wire;

namespace Kip.Grpc.Client;

/// <summary>A request body of many messages, sent while the response may already be arriving.</summary>
internal sealed class StreamingContent<TRequest>(IAsyncEnumerable<TRequest> requests, int? maxSize, ClientCall call) : HttpContent
    where TRequest : class, IMessage<TRequest>
{
    // Each piece of a message becomes a frame, of 16 KiB at most: the default of 4 KiB would make four of them.
    private const int PieceSize = 32 * 1024;

    private bool _started;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // HttpClient sends a request again when the server closed the connection without having looked at it; a sequence
        // can be read only once.
        if (_started)
        {
            throw new HttpRequestException("The connection closed before the server took the call, and its requests cannot be sent twice.");
        }

        _started = true;
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, call.Token);
        await stream.FlushAsync(linked.Token); // sends the headers: the server may answer before the first message
        PipeWriter writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(minimumBufferSize: PieceSize, leaveOpen: true));
        await using IAsyncEnumerator<TRequest> messages = requests.GetAsyncEnumerator(linked.Token);
        while (await TryWriteNextAsync(messages, writer, linked.Token))
        {
            await writer.FlushAsync(linked.Token);
        }

        await writer.CompleteAsync();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private async ValueTask<bool> TryWriteNextAsync(
        IAsyncEnumerator<TRequest> messages, PipeWriter writer, CancellationToken cancellationToken)
    {
        try
        {
            if (!await messages.MoveNextAsync())
            {
                return false;
            }

            MessageFraming.Write(writer, messages.Current, maxSize);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The caller's sequence failed, or a message is too large: whoever waits for the response must hear of it.
            call.FailRequest(e);
            throw;
        }
    }
}
