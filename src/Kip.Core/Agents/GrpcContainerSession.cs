using System.Runtime.CompilerServices;
using Google.Protobuf;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agents;

/// <summary>One call of <c>Exec</c> or <c>Attach</c>.</summary>
internal sealed class GrpcContainerSession : IContainerSession
{
    private const int LargestPiece = 64 << 10;

    private readonly TaskCompletionSource<int> _exitCode = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DuplexCall<SessionInput, SessionEvent> _call;
    private readonly SessionStart _start;
    private bool _inputClosed;

    private GrpcContainerSession(DuplexCall<SessionInput, SessionEvent> call, SessionStart start) => (_call, _start) = (call, start);

    public Task<int> ExitCode => _exitCode.Task;

    /// <summary>Starts one and waits until the agent says that it is under way.</summary>
    public static async Task<IContainerSession> StartAsync(
        GrpcChannel channel, Method<SessionInput, SessionEvent> method, SessionStart start, string cellId, CancellationToken cancellationToken)
    {
        var call = new DuplexCall<SessionInput, SessionEvent>(channel, method, new SessionInput { Start = start }, cellId);
        try
        {
            return await call.ReadAsync(cancellationToken).ConfigureAwait(false) is { Started: not null }
                ? new GrpcContainerSession(call, start)
                : throw new AgentException(AgentErrorKind.Failed, $"the agent of {cellId} did not say that the session has started");
        }
        catch
        {
            await call.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask WriteInputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (!_start.Stdin || _inputClosed)
        {
            throw new InvalidOperationException(_inputClosed ? "Standard input was closed." : "The session has no standard input.");
        }

        for (var rest = data; !rest.IsEmpty;)
        {
            var piece = rest[..Math.Min(rest.Length, LargestPiece)];
            rest = rest[piece.Length..];
            if (!await _call.WriteAsync(new SessionInput { Stdin = ByteString.CopyFrom(piece.Span) }, cancellationToken).ConfigureAwait(false))
            {
                return;
            }
        }
    }

    public async ValueTask CloseInputAsync(CancellationToken cancellationToken)
    {
        if (_start.Stdin && !_inputClosed)
        {
            _inputClosed = true;
            await _call.WriteAsync(new SessionInput { EndOfStdin = new EndOfStdin() }, cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask ResizeAsync(int columns, int rows, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(columns, (ushort)columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows, (ushort)rows);
        ArgumentOutOfRangeException.ThrowIfZero(columns);
        ArgumentOutOfRangeException.ThrowIfZero(rows);
        if (_start.Tty)
        {
            var size = new TerminalSize { Columns = (uint)columns, Rows = (uint)rows };
            await _call.WriteAsync(new SessionInput { Resize = size }, cancellationToken).ConfigureAwait(false);
        }
    }

    public async IAsyncEnumerable<SessionOutput> ReadOutputAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await NextAsync(cancellationToken).ConfigureAwait(false) is { } happened)
        {
            switch (happened.EventCase)
            {
                case SessionEvent.EventOneofCase.Stdout:
                    yield return new SessionOutput(false, happened.Stdout.Memory);
                    break;
                case SessionEvent.EventOneofCase.Stderr:
                    yield return new SessionOutput(true, happened.Stderr.Memory);
                    break;
                case SessionEvent.EventOneofCase.ExitCode:
                    _exitCode.TrySetResult(happened.ExitCode);
                    break;
                default:
                    break; // of a newer agent
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _exitCode.TrySetCanceled();
        await _call.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask<SessionEvent?> NextAsync(CancellationToken cancellationToken)
    {
        try
        {
            var happened = await _call.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (happened is null && !_exitCode.Task.IsCompleted)
            {
                throw new AgentException(AgentErrorKind.Failed, "the session ended without an exit code");
            }

            return happened;
        }
        catch (AgentException e)
        {
            _exitCode.TrySetException(e);
            _ = _exitCode.Task.Exception; // whoever reads the output hears of it too
            throw;
        }
    }
}
