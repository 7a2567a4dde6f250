using System.Runtime.CompilerServices;
using System.Text.Json;
using Google.Protobuf;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Kubernetes;

namespace Kip.Agents;

/// <summary>One agent behind <c>kip.agent.v1</c>.</summary>
internal sealed class GrpcCellAgent : ICellAgent
{
    private static readonly CallOptions Call = new(Timeout: TimeSpan.FromSeconds(30));

    private readonly GrpcChannel _channel;
    // A connection of their own: what users push through it must not hold up statuses and stops.
    private readonly Lazy<GrpcChannel> _sessions;
    private readonly string _cellId;
    private readonly Func<DateTimeOffset, CancellationToken, Task<DateTimeOffset>> _renewIfDue;
    private DateTimeOffset _certificateNotAfter;

    public GrpcCellAgent(
        GrpcChannel channel,
        Func<GrpcChannel> openAnother,
        string cellId,
        HelloReply hello,
        Func<DateTimeOffset, CancellationToken, Task<DateTimeOffset>> renewIfDue)
    {
        _channel = channel;
        _sessions = new Lazy<GrpcChannel>(openAnother);
        _cellId = cellId;
        Instance = hello.AgentInstance;
        _renewIfDue = renewIfDue;
        _certificateNotAfter = DateTimeOffset.FromUnixTimeSeconds(hello.CertificateNotAfterUnix);
    }

    public string Instance { get; }

    public async Task ApplyPodAsync(PodAssignment assignment, CancellationToken cancellationToken)
    {
        var request = new ApplyPodRequest
        {
            Pod = UnsafeByteOperations.UnsafeWrap(KubernetesJson.SerializeToUtf8(assignment.Pod)),
            PodAddress = assignment.PodAddress ?? "",
            RuntimeHandler = assignment.RuntimeHandler ?? "",
        };
        request.Credentials.AddRange(assignment.Credentials.Select(ToMessage));
        foreach (var volume in assignment.Volumes)
        {
            request.Volumes.Add(new Protocol.ResolvedVolume
            {
                Name = volume.Name,
                Files =
                {
                    volume.Files.Select(file => new Protocol.ResolvedFile
                    {
                        Path = file.Path, Data = UnsafeByteOperations.UnsafeWrap(file.Data), Mode = file.Mode, Owner = file.Owner,
                    }),
                },
            });
        }

        request.PersistentVolumes.AddRange(assignment.PersistentVolumes.Select(PersistentVolumeWire.ToMessage));
        await CallAsync(AgentMethods.ApplyPod, request, cancellationToken).ConfigureAwait(false);
    }

    public Task StopPodAsync(string podUid, TimeSpan gracePeriod, CancellationToken cancellationToken) =>
        CallAsync(
            AgentMethods.StopPod,
            new StopPodRequest { PodUid = podUid, GracePeriodSeconds = (long)Math.Ceiling(gracePeriod.TotalSeconds) },
            cancellationToken);

    // How long it takes is the registry's affair.
    public Task PullImageAsync(string image, IReadOnlyList<RegistryCredential> credentials, CancellationToken cancellationToken) =>
        CallAsync(
            AgentMethods.PullImage,
            new PullImageRequest { Image = image, Credentials = { credentials.Select(ToMessage) } },
            cancellationToken,
            new CallOptions(Timeout: null));

    public async IAsyncEnumerable<AgentUpdate> WatchAsync(long afterEvent, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new WatchStatusRequest { AfterEvent = (ulong)afterEvent, AgentInstance = Instance };
        await using var updates = _channel
            .ServerStreamingAsync(AgentMethods.WatchStatus, request, default, cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            AgentUpdate update;
            try
            {
                if (!await updates.MoveNextAsync().ConfigureAwait(false))
                {
                    throw new AgentException(AgentErrorKind.Unavailable, $"the agent of {_cellId} ended its status stream");
                }

                update = Convert(updates.Current);
                _certificateNotAfter = await _renewIfDue(_certificateNotAfter, cancellationToken).ConfigureAwait(false);
            }
            catch (RpcException e)
            {
                throw Translate(e, _cellId);
            }

            yield return update;
        }
    }

    public async IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ReadLogsRequest
        {
            PodUid = podUid,
            Container = query.Container,
            Follow = query.Follow,
            Previous = query.Previous,
            TailLines = query.TailLines ?? -1,
            SinceUnixMs = query.Since?.ToUnixTimeMilliseconds() ?? 0,
            Many = true,
        };
        await using var chunks = _channel
            .ServerStreamingAsync(AgentMethods.ReadLogs, request, default, cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            LogChunk chunk;
            try
            {
                if (!await chunks.MoveNextAsync().ConfigureAwait(false))
                {
                    yield break;
                }

                chunk = chunks.Current;
            }
            catch (RpcException e)
            {
                throw Translate(e, _cellId);
            }

            var rest = chunk.Data.Memory;
            var pieces = chunk.Lengths.Count;
            if (pieces == 0)
            {
                yield return ToEntry(chunk.TimeUnixNs, chunk.Stream == 2, rest);
                continue;
            }

            var isListed = chunk.TimesUnixNs.Count == pieces && chunk.StandardError.Count == pieces;
            var given = 0;
            for (; isListed && given < pieces && chunk.Lengths[given] <= rest.Length; given++)
            {
                var piece = rest[..(int)chunk.Lengths[given]];
                rest = rest[piece.Length..];
                yield return ToEntry(chunk.TimesUnixNs[given], chunk.StandardError[given], piece);
            }

            if (given < pieces || !rest.IsEmpty)
            {
                throw new AgentException(AgentErrorKind.Failed, $"the agent of {_cellId} sent {pieces} pieces of a log that do not add up to their {chunk.Data.Length} bytes");
            }
        }
    }

    public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken)
    {
        var start = new SessionStart
        {
            PodUid = podUid,
            Container = request.Container,
            Stdin = request.Stdin,
            Stdout = request.Stdout,
            Stderr = request.Stderr,
            Tty = request.Tty,
        };
        start.Command.AddRange(request.Command);
        return GrpcContainerSession.StartAsync(_sessions.Value, AgentMethods.Exec, start, _cellId, cancellationToken);
    }

    public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken)
    {
        var start = new SessionStart
        {
            PodUid = podUid,
            Container = request.Container,
            Stdin = request.Stdin,
            Stdout = request.Stdout,
            Stderr = request.Stderr,
            Tty = request.Tty,
        };
        return GrpcContainerSession.StartAsync(_sessions.Value, AgentMethods.Attach, start, _cellId, cancellationToken);
    }

    public Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken) =>
        GrpcPortConnection.OpenAsync(_sessions.Value, new PortOpen { PodUid = podUid, Port = (uint)port }, _cellId, cancellationToken);

    public async Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken) =>
        StatisticsWire.Read(await CallAsync(AgentMethods.GetStatistics, new GetStatisticsRequest(), cancellationToken).ConfigureAwait(false));

    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        if (_sessions.IsValueCreated)
        {
            _sessions.Value.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    internal static AgentException Translate(RpcException e, string cellId) => e.StatusCode switch
    {
        StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Aborted =>
            new AgentException(AgentErrorKind.Unavailable, $"the agent of {cellId} cannot be reached: {e.Status.Detail}", e),
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition =>
            new AgentException(AgentErrorKind.Refused, e.Status.Detail, e),
        StatusCode.NotFound => new AgentException(AgentErrorKind.NotFound, e.Status.Detail, e),
        StatusCode.Unauthenticated or StatusCode.PermissionDenied =>
            new AgentException(AgentErrorKind.Untrusted, $"the agent of {cellId} and the controller do not trust each other: {e.Status.Detail}", e),
        _ => new AgentException(AgentErrorKind.Failed, $"the agent of {cellId} failed: {e.Status.Detail}", e),
    };

    private static LogEntry ToEntry(long unixNanoseconds, bool isError, ReadOnlyMemory<byte> data) =>
        new(DateTimeOffset.UnixEpoch.AddTicks(unixNanoseconds / TimeSpan.NanosecondsPerTick), isError, data);

    private AgentUpdate Convert(StatusUpdate update)
    {
        switch (update.UpdateCase)
        {
            case StatusUpdate.UpdateOneofCase.Report:
                try
                {
                    return new AgentUpdate(KubernetesJson.DeserializePodStatus(update.Report.Status.Span), null);
                }
                catch (JsonException e)
                {
                    throw new AgentException(AgentErrorKind.Failed, $"the agent of {_cellId} sent a status that is not a PodStatus: {e.Message}", e);
                }

            case StatusUpdate.UpdateOneofCase.Interruption:
                return new AgentUpdate(
                    null, null, new AgentInterruption(DateTimeOffset.FromUnixTimeMilliseconds(update.Interruption.DeadlineUnixMs), update.Interruption.Message));

            case StatusUpdate.UpdateOneofCase.Event:
                var happened = update.Event;
                return new AgentUpdate(null, new AgentEvent(
                    (long)happened.Sequence,
                    DateTimeOffset.FromUnixTimeMilliseconds(happened.TimeUnixMs),
                    happened.Type,
                    happened.Reason,
                    happened.Message,
                    happened.Container.Length == 0 ? null : happened.Container));
            default:
                return new AgentUpdate(null, null);
        }
    }

    private static Protocol.RegistryCredential ToMessage(RegistryCredential credential) =>
        new() { Registry = credential.Registry, Username = credential.Username, Password = credential.Password };

    private async Task<TReply> CallAsync<TRequest, TReply>(
        Method<TRequest, TReply> method, TRequest request, CancellationToken cancellationToken, CallOptions? options = null)
        where TRequest : class, IMessage<TRequest>
        where TReply : class, IMessage<TReply>
    {
        try
        {
            return await _channel.UnaryAsync(method, request, options ?? Call, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw Translate(e, _cellId);
        }
    }
}
