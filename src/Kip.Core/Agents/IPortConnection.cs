namespace Kip.Agents;

/// <summary>
/// A TCP connection to a server in the pod. Each direction ends on its own, and each is held back by whoever does not read. Reading and
/// writing may happen at the same time, each by one caller; disposing breaks the connection.
/// </summary>
public interface IPortConnection : IAsyncDisposable
{
    /// <summary>Waits for data.</summary>
    /// <returns>How many bytes came, at least 1; 0 when the server has closed its side.</returns>
    /// <exception cref="AgentException">The connection broke. One that is cancelled is broken too.</exception>
    ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Sends data; returns when there is room for more.</summary>
    /// <exception cref="AgentException">The connection broke.</exception>
    /// <exception cref="InvalidOperationException">This side was closed.</exception>
    ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>The server reads the end of what it is sent; what it still sends comes. Safe to repeat.</summary>
    ValueTask CloseWriteAsync(CancellationToken cancellationToken);
}
