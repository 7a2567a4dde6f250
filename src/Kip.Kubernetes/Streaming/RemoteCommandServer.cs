using System.IO.Pipelines;
using System.Threading.Channels;

namespace Kip.Kubernetes.Streaming;

/// <summary>The server's side of an exec, attach or run, whatever protocol the client speaks.</summary>
public abstract class RemoteCommandServer : IAsyncDisposable
{
    /// <summary>The client's input, which ends when the client closes it or goes; null when it has none.</summary>
    public abstract PipeReader? Input { get; }

    /// <summary>The sizes of the client's terminal; only the newest that was not read is kept. Ends with the session.</summary>
    public abstract ChannelReader<TerminalSize> Sizes { get; }

    /// <summary>Cancelled when the client is gone.</summary>
    public abstract CancellationToken Closed { get; }

    /// <summary>Sends output, as fast as the client takes it. Output that the client did not ask for is dropped.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    public abstract ValueTask WriteOutputAsync(bool isError, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Says how the command ended and closes, once the client has it all. Does nothing when the client is gone.</summary>
    public abstract ValueTask CompleteAsync(RemoteCommandStatus status, CancellationToken cancellationToken);

    /// <summary>Ends the session at once.</summary>
    public abstract ValueTask DisposeAsync();
}
