using System.IO.Pipelines;

namespace Kip.Kubernetes.Streaming;

/// <summary>The server's side of a port-forward session, whatever protocol the client speaks.</summary>
public abstract class PortForwardServer : IAsyncDisposable
{
    /// <summary>Cancelled when the client is gone.</summary>
    public abstract CancellationToken Closed { get; }

    /// <summary>Waits for the next connection that the client wants; null when it wants no more.</summary>
    public abstract ValueTask<PortForwardConnection?> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>Ends the session and with it every connection.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>One connection to a port of a pod, as the client sees it.</summary>
public abstract class PortForwardConnection
{
    /// <summary>The port, 1 to 65535.</summary>
    public abstract int Port { get; }

    /// <summary>
    /// What the client sends, which ends when it closes its side. Complete it when it is not read any more: the session's other
    /// connections wait for it otherwise, for 30 s.
    /// </summary>
    public abstract PipeReader Input { get; }

    /// <summary>Whether <see cref="Input"/> ended because the client reset the connection or was lost.</summary>
    public abstract bool IsInputCut { get; }

    /// <summary>Sends to the client, as fast as it takes it.</summary>
    /// <exception cref="IOException">The client is gone, or has closed this connection.</exception>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Closes the side towards the client, where the protocol has a way to say so.</summary>
    /// <exception cref="IOException">The client is gone.</exception>
    public abstract ValueTask CloseWriteAsync(CancellationToken cancellationToken);

    /// <summary>Ends the connection, both ways; with an error's text when it ended badly.</summary>
    public abstract ValueTask EndAsync(string? error, CancellationToken cancellationToken);
}
