using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using Kip.Agent.Runtime;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes.Streaming;
using Cri = Kip.Agent.Runtime.Cri;

namespace Kip.Agent.Sessions;

/// <summary>
/// Answers Exec and Attach through the streaming server of the container runtime. It holds no more than a buffer of each direction: who
/// reads slowly holds back the command.
/// </summary>
internal sealed class ContainerSessions(SessionTargets targets, ICriRuntime runtime) : IDisposable
{
    private const int LargestPiece = 64 << 10;

    private readonly Lazy<HttpMessageInvoker> _http =
        new(() => new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false }));

    public IAsyncEnumerable<SessionEvent> ExecAsync(IAsyncEnumerable<SessionInput> requests, CancellationToken cancellationToken) =>
        RunAsync(requests, PrepareExecAsync, cancellationToken);

    public IAsyncEnumerable<SessionEvent> AttachAsync(IAsyncEnumerable<SessionInput> requests, CancellationToken cancellationToken) =>
        RunAsync(requests, PrepareAttachAsync, cancellationToken);

    public void Dispose()
    {
        if (_http.IsValueCreated)
        {
            _http.Value.Dispose();
        }
    }

    private async IAsyncEnumerable<SessionEvent> RunAsync(
        IAsyncEnumerable<SessionInput> requests,
        Func<SessionStart, CancellationToken, Task<Uri>> prepare,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var inputs = requests.GetAsyncEnumerator(end.Token);
        if (!await inputs.MoveNextAsync() || inputs.Current.Start is not { } start)
        {
            throw new RpcException(StatusCode.InvalidArgument, "the first message must be 'start'");
        }

        var client = await ConnectAsync(start, prepare, cancellationToken);
        var sending = Task.CompletedTask;
        try
        {
            yield return new SessionEvent { Started = new SessionStarted() };
            sending = SendAsync(inputs, client, start.Stdin, end.Token);
            await foreach (var output in OutputAsync(client, cancellationToken))
            {
                yield return output;
            }

            var status = await client.Status.WaitAsync(cancellationToken);
            yield return status.ExitCode is { } exitCode
                ? new SessionEvent { ExitCode = exitCode }
                : throw new RpcException(StatusCode.FailedPrecondition, status.Message);
        }
        finally
        {
            await end.CancelAsync();
            await client.DisposeAsync();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task<Uri> PrepareExecAsync(SessionStart start, CancellationToken cancellationToken)
    {
        var request = new Cri.ExecRequest
        {
            ContainerId = targets.Container(start.PodUid, start.Container),
            Stdin = start.Stdin,
            Stdout = start.Stdout,
            Stderr = start.Stderr && !start.Tty,
            Tty = start.Tty,
        };
        request.Cmd.AddRange(start.Command);
        return request.Cmd.Count > 0
            ? runtime.ExecAsync(request, cancellationToken)
            : throw new RpcException(StatusCode.InvalidArgument, "command: required");
    }

    private Task<Uri> PrepareAttachAsync(SessionStart start, CancellationToken cancellationToken) => runtime.AttachAsync(
        new Cri.AttachRequest
        {
            ContainerId = targets.Container(start.PodUid, start.Container),
            Stdin = start.Stdin,
            Stdout = start.Stdout,
            Stderr = start.Stderr && !start.Tty,
            Tty = start.Tty,
        },
        cancellationToken);

    private async Task<RemoteCommandClient> ConnectAsync(
        SessionStart start, Func<SessionStart, CancellationToken, Task<Uri>> prepare, CancellationToken cancellationToken)
    {
        if (!start.Stdin && !start.Stdout && (!start.Stderr || start.Tty))
        {
            throw new RpcException(StatusCode.InvalidArgument, "one of stdin, stdout and stderr is required");
        }

        var uri = await prepare(start, cancellationToken).Explained();
        try
        {
            var streams = new RemoteCommandStreams(start.Stdin, start.Stdout, start.Stderr, start.Tty);
            return await RemoteCommandClient.ConnectAsync(_http.Value, uri, streams, options: null, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or SpdyException)
        {
            throw new RpcException(StatusCode.Internal, $"the container runtime does not stream: {e.Message}", inner: e);
        }
    }

    private static async Task SendAsync(
        IAsyncEnumerator<SessionInput> inputs, RemoteCommandClient client, bool open, CancellationToken cancellationToken)
    {
        try
        {
            while (await inputs.MoveNextAsync())
            {
                switch (inputs.Current.InputCase)
                {
                    case SessionInput.InputOneofCase.Stdin when open:
                        await client.WriteInputAsync(inputs.Current.Stdin.Memory, cancellationToken);
                        break;
                    case SessionInput.InputOneofCase.EndOfStdin:
                        open = false;
                        await client.CloseInputAsync(cancellationToken);
                        break;
                    case SessionInput.InputOneofCase.Resize:
                        var size = inputs.Current.Resize;
                        await client.ResizeAsync((int)Math.Min(size.Columns, ushort.MaxValue), (int)Math.Min(size.Rows, ushort.MaxValue), cancellationToken);
                        break;
                }
            }

            await client.CloseInputAsync(cancellationToken);
        }
        catch (SpdyException)
        {
            // The session has ended; the other direction tells how.
        }
    }

    /// <summary>The output of both streams, in turn as long as both have some.</summary>
    private static async IAsyncEnumerable<SessionEvent> OutputAsync(
        RemoteCommandClient client, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reads = new List<(PipeReader Reader, Task<ReadResult> Read)>();
        foreach (var reader in (PipeReader?[])[client.Output, client.ErrorOutput])
        {
            if (reader is not null)
            {
                reads.Add((reader, reader.ReadAsync(cancellationToken).AsTask()));
            }
        }

        while (reads.Count > 0)
        {
            var next = await Task.WhenAny(reads.Select(each => each.Read));
            var index = reads.FindIndex(each => each.Read == next);
            var reader = reads[index].Reader;
            var result = await next;
            var piece = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, LargestPiece));
            if (!piece.IsEmpty)
            {
                var buffer = ArrayPool<byte>.Shared.Rent((int)piece.Length);
                try
                {
                    piece.CopyTo(buffer);
                    // It has been written out when the next one is asked for, so the buffer can be used again.
                    var data = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, (int)piece.Length));
                    yield return reader == client.ErrorOutput ? new SessionEvent { Stderr = data } : new SessionEvent { Stdout = data };
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }

            reads.RemoveAt(index);
            var isLast = result.IsCompleted && piece.Length == result.Buffer.Length;
            reader.AdvanceTo(piece.End);
            if (!isLast)
            {
                reads.Add((reader, reader.ReadAsync(cancellationToken).AsTask()));
            }
        }
    }
}
