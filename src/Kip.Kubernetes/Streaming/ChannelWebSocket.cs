using System.Buffers;
using System.Buffers.Text;
using System.Net.WebSockets;

namespace Kip.Kubernetes.Streaming;

/// <summary>
/// A WebSocket whose messages begin with the number of the channel they belong to: a byte, or a digit before base64 text
/// (k8s.io/apimachinery/pkg/util/httpstream/wsstream).
/// </summary>
internal sealed class ChannelWebSocket : IAsyncDisposable
{
    // With its header and the channel's number, what a TLS stream below sends at once.
    private const int MaxPayload = (32 * 1024) - 16;
    private const int ReceiveBufferSize = 32 * 1024;

    private readonly WatchedStream _transport;
    private readonly WebSocket _socket;
    private readonly bool _isBase64;
    private readonly SemaphoreSlim _sending = new(1, 1);

    public ChannelWebSocket(Stream transport, bool isBase64, StreamingOptions options)
    {
        _transport = new WatchedStream(transport);
        _isBase64 = isBase64;
        _socket = WebSocket.CreateFromStream(
            _transport, new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = options.KeepAliveInterval });
    }

    /// <summary>Takes a part of a message; the next one is read when it is done.</summary>
    public delegate ValueTask Receiver(byte channel, ReadOnlyMemory<byte> data, bool isEnd);

    /// <summary>Cancelled when the client is seen to be gone.</summary>
    public CancellationToken Closed => _transport.Lost;

    /// <summary>Sends data in as many messages as it takes; no data is one empty message.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    public async ValueTask SendAsync(byte channel, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        do
        {
            var part = data[..Math.Min(data.Length, MaxPayload)];
            data = data[part.Length..];
            await SendMessageAsync(channel, part, cancellationToken).ConfigureAwait(false);
        }
        while (!data.IsEmpty);
    }

    /// <summary>Hands out what comes until the client closes or is gone.</summary>
    /// <exception cref="InvalidDataException">A message is malformed.</exception>
    public async Task ReceiveAsync(Receiver receiver, CancellationToken cancellationToken)
    {
        // Base64 comes in groups of four characters, which the end of a part can cut.
        var buffer = new byte[ReceiveBufferSize];
        var kept = 0;
        byte? channel = null;
        while (true)
        {
            ValueWebSocketReceiveResult result;
            try
            {
                result = await _socket.ReceiveAsync(buffer.AsMemory(kept), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (error is WebSocketException or IOException or ObjectDisposedException or OperationCanceledException)
            {
                return;
            }

            if (result.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            var data = buffer.AsMemory(0, kept + result.Count);
            kept = 0;
            if (channel is null && !data.IsEmpty)
            {
                channel = _isBase64 ? (byte)(data.Span[0] - (byte)'0') : data.Span[0];
                data = data[1..];
            }

            if (channel is { } number)
            {
                var rest = _isBase64 ? Decode(ref data, result.EndOfMessage) : default;
                if (!data.IsEmpty || result.EndOfMessage)
                {
                    await receiver(number, data, result.EndOfMessage).ConfigureAwait(false);
                }

                rest.CopyTo(buffer);
                kept = rest.Length;
            }

            channel = result.EndOfMessage ? null : channel;
        }
    }

    /// <summary>Closes this side. The client answers by closing its own, which <see cref="ReceiveAsync"/> sees.</summary>
    public async ValueTask CloseOutputAsync(CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is WebSocketException or ObjectDisposedException or IOException)
        {
            // The client was quicker.
        }
        finally
        {
            _sending.Release();
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Abort();
        _socket.Dispose();
        return _transport.DisposeAsync();
    }

    /// <summary>Decodes in place, and returns the characters of a group that is not whole.</summary>
    private static ReadOnlyMemory<byte> Decode(ref Memory<byte> data, bool isEnd)
    {
        var whole = isEnd ? data.Length : data.Length & ~3;
        ReadOnlyMemory<byte> rest = data[whole..];
        data = data[..whole];
        return Base64.DecodeFromUtf8InPlace(data.Span, out var written) == OperationStatus.Done
            ? Cut(ref data, written, rest)
            : throw new InvalidDataException("a message that is not base64");
    }

    private static ReadOnlyMemory<byte> Cut(ref Memory<byte> data, int length, ReadOnlyMemory<byte> rest)
    {
        data = data[..length];
        return rest;
    }

    private async ValueTask SendMessageAsync(byte channel, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var size = _isBase64 ? Base64.GetMaxEncodedToUtf8Length(data.Length) : data.Length;
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        var message = ArrayPool<byte>.Shared.Rent(1 + size);
        try
        {
            message[0] = _isBase64 ? (byte)(channel + '0') : channel;
            if (_isBase64)
            {
                Base64.EncodeToUtf8(data.Span, message.AsSpan(1), out _, out _);
            }
            else
            {
                data.CopyTo(message.AsMemory(1));
            }

            await _socket.SendAsync(
                message.AsMemory(0, 1 + size),
                _isBase64 ? WebSocketMessageType.Text : WebSocketMessageType.Binary,
                endOfMessage: true,
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is WebSocketException or ObjectDisposedException or InvalidOperationException)
        {
            throw new IOException("the client is gone: " + error.Message, error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
            _sending.Release();
        }
    }
}
