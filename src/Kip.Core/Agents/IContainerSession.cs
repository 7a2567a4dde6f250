namespace Kip.Agents;

/// <summary>A command to run in a container, or in other words one <c>kubectl exec</c>.</summary>
public sealed record ExecRequest
{
    /// <summary>Name of the container; it must run.</summary>
    public required string Container { get; init; }

    /// <summary>Program and arguments, not interpreted by a shell.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>The command's standard input is fed by the session; otherwise it is empty.</summary>
    public bool Stdin { get; init; }

    /// <summary>The session reads the command's standard output; otherwise it is thrown away.</summary>
    public bool Stdout { get; init; } = true;

    /// <summary>The session reads the command's standard error. With <see cref="Tty"/> it comes as standard output.</summary>
    public bool Stderr { get; init; } = true;

    /// <summary>The command gets a terminal.</summary>
    public bool Tty { get; init; }
}

/// <summary>Which streams of a container's own first process to join.</summary>
public sealed record AttachRequest
{
    /// <summary>Name of the container; it must run.</summary>
    public required string Container { get; init; }

    /// <summary>Feeds its standard input; the container must have been made with one.</summary>
    public bool Stdin { get; init; }

    /// <summary>Reads its standard output from now on.</summary>
    public bool Stdout { get; init; } = true;

    /// <summary>Reads its standard error from now on. With <see cref="Tty"/> it comes as standard output.</summary>
    public bool Stderr { get; init; } = true;

    /// <summary>The container was made with a terminal; must say what is true.</summary>
    public bool Tty { get; init; }
}

/// <summary>
/// The streams of a command that runs in a container. Whoever does not read holds the command back; whoever disposes of the session
/// before the command has ended cuts it off.
/// </summary>
/// <remarks>
/// Input, resizing and output may be used at the same time, each by one caller. Methods throw <see cref="AgentException"/> when the
/// connection to the cell breaks.
/// </remarks>
public interface IContainerSession : IAsyncDisposable
{
    /// <summary>
    /// The exit code; 128 + n after signal n; 0 for an attached session that was left. It is known when <see cref="ReadOutputAsync"/> has
    /// come to its end, not before. Fails with <see cref="AgentException"/> when the command could not be run, or the connection broke.
    /// </summary>
    Task<int> ExitCode { get; }

    /// <summary>Writes to standard input; returns when there is room for more. Does nothing once the command has ended.</summary>
    /// <exception cref="InvalidOperationException">The session has no standard input, or it was closed.</exception>
    ValueTask WriteInputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>The command reads the end of its standard input; its output goes on. Safe to repeat.</summary>
    ValueTask CloseInputAsync(CancellationToken cancellationToken);

    /// <summary>Tells the size of the terminal, in characters. Does nothing without a terminal.</summary>
    /// <param name="columns">1 to 65535.</param>
    /// <param name="rows">1 to 65535.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    ValueTask ResizeAsync(int columns, int rows, CancellationToken cancellationToken);

    /// <summary>What the command writes, until it has ended. To be enumerated once; whoever stops before the end ends the session.</summary>
    IAsyncEnumerable<SessionOutput> ReadOutputAsync(CancellationToken cancellationToken);
}

/// <summary>A piece of what a command wrote.</summary>
/// <param name="IsError">Whether it was written to standard error.</param>
/// <param name="Data">As it was written; valid until the next piece is asked for.</param>
public readonly record struct SessionOutput(bool IsError, ReadOnlyMemory<byte> Data);
