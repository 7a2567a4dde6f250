using System.Runtime.CompilerServices;
using Google.Protobuf;
using Kip.Agent.CommandLine;
using Kip.Agent.Enrolment;
using Kip.Agent.Logs;
using Kip.Agent.Pods;
using Kip.Agent.Runtime;
using Kip.Agent.Sessions;
using Kip.Agent.Statistics;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Grpc.Server;
using Microsoft.AspNetCore.Routing;

namespace Kip.Agent.Server;

/// <summary>The methods of <c>kip.agent.v1.CellAgent</c>.</summary>
internal sealed class CellAgentService(
    UserData userData,
    AgentIdentity identity,
    PodWorker worker,
    ImagePuller images,
    StatusBoard board,
    LogReader logs,
    ContainerSessions sessions,
    PortForwarder ports,
    StatisticsCollector statistics,
    RuntimeVersion runtime,
    TimeProvider time)
{
    private const string Service = "kip.agent.v1.CellAgent";

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGrpcUnary(Method.Unary(Service, "Hello", HelloRequest.Parser, HelloReply.Parser), Hello);
        routes.MapGrpcUnary(
            Method.Unary(Service, "CreateSigningRequest", CreateSigningRequestRequest.Parser, CreateSigningRequestReply.Parser),
            CreateSigningRequest);
        routes.MapGrpcUnary(
            Method.Unary(Service, "InstallCertificate", InstallCertificateRequest.Parser, InstallCertificateReply.Parser),
            InstallCertificate);
        routes.MapGrpcUnary(Method.Unary(Service, "ApplyPod", ApplyPodRequest.Parser, ApplyPodReply.Parser), ApplyPod);
        routes.MapGrpcUnary(Method.Unary(Service, "StopPod", StopPodRequest.Parser, StopPodReply.Parser), StopPod);
        routes.MapGrpcUnary(Method.Unary(Service, "PullImage", PullImageRequest.Parser, PullImageReply.Parser), PullImage);
        routes.MapGrpcServerStreaming(
            Method.ServerStreaming(Service, "WatchStatus", WatchStatusRequest.Parser, StatusUpdate.Parser), WatchStatus);
        routes.MapGrpcServerStreaming(Method.ServerStreaming(Service, "ReadLogs", ReadLogsRequest.Parser, LogChunk.Parser), ReadLogs);
        routes.MapGrpcDuplexStreaming(Method.DuplexStreaming(Service, "Exec", SessionInput.Parser, SessionEvent.Parser), Exec);
        routes.MapGrpcDuplexStreaming(Method.DuplexStreaming(Service, "Attach", SessionInput.Parser, SessionEvent.Parser), Attach);
        routes.MapGrpcDuplexStreaming(Method.DuplexStreaming(Service, "ForwardPort", PortInput.Parser, PortOutput.Parser), ForwardPort);
        routes.MapGrpcUnary(
            Method.Unary(Service, "GetStatistics", GetStatisticsRequest.Parser, GetStatisticsReply.Parser), GetStatistics);
        routes.MapGrpcUnimplemented();
    }

    private Task<HelloReply> Hello(HelloRequest request, ServerCallContext context) => Task.FromResult(new HelloReply
    {
        CellId = userData.CellId,
        AgentVersion = AgentVersion.Text,
        AgentInstance = board.Instance,
        NowUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
        PodUid = board.View.PodUid,
        CertificateNotAfterUnix = identity.NotAfterUnix,
        Runtime = runtime.Text,
    });

    private Task<CreateSigningRequestReply> CreateSigningRequest(CreateSigningRequestRequest request, ServerCallContext context)
    {
        var (signingRequest, proof) = identity.CreateSigningRequest(request.Nonce.Span);
        return Task.FromResult(new CreateSigningRequestReply
        {
            SigningRequest = ByteString.CopyFrom(signingRequest), Proof = ByteString.CopyFrom(proof),
        });
    }

    private Task<InstallCertificateReply> InstallCertificate(InstallCertificateRequest request, ServerCallContext context)
    {
        identity.Install([.. request.Chain.Select(der => der.ToByteArray())]);
        return Task.FromResult(new InstallCertificateReply());
    }

    private async Task<ApplyPodReply> ApplyPod(ApplyPodRequest request, ServerCallContext context)
    {
        RequireEnrolled();
        await worker.ApplyAsync(request, context.CancellationToken);
        return new ApplyPodReply();
    }

    private async Task<StopPodReply> StopPod(StopPodRequest request, ServerCallContext context)
    {
        RequireEnrolled();
        // Longer than any pod's grace, and still a time that can be added to a date.
        var seconds = Math.Min(request.GracePeriodSeconds, (long)TimeSpan.FromDays(365).TotalSeconds);
        await worker.StopAsync(request.PodUid, TimeSpan.FromSeconds(seconds), context.CancellationToken);
        return new StopPodReply();
    }

    private async Task<PullImageReply> PullImage(PullImageRequest request, ServerCallContext context)
    {
        RequireEnrolled();
        try
        {
            await images.PrepareAsync(request.Image, request.Credentials, context.CancellationToken);
            return new PullImageReply();
        }
        catch (ContainerStartException e)
        {
            throw new RpcException(StatusCode.FailedPrecondition, e.Message);
        }
    }

    private IAsyncEnumerable<StatusUpdate> WatchStatus(WatchStatusRequest request, ServerCallContext context)
    {
        RequireEnrolled();
        var after = request.AgentInstance == board.Instance ? request.AfterEvent : 0;
        return board.WatchAsync(after, context.CancellationToken);
    }

    private async IAsyncEnumerable<LogChunk> ReadLogs(ReadLogsRequest request, ServerCallContext context)
    {
        RequireEnrolled();
        await foreach (var chunk in logs.ReadAsync(request, context.CancellationToken))
        {
            yield return chunk;
        }
    }

    private IAsyncEnumerable<SessionEvent> Exec(IAsyncEnumerable<SessionInput> inputs, ServerCallContext context)
    {
        RequireEnrolled();
        return sessions.ExecAsync(inputs, context.CancellationToken);
    }

    private IAsyncEnumerable<SessionEvent> Attach(IAsyncEnumerable<SessionInput> inputs, ServerCallContext context)
    {
        RequireEnrolled();
        return sessions.AttachAsync(inputs, context.CancellationToken);
    }

    private IAsyncEnumerable<PortOutput> ForwardPort(IAsyncEnumerable<PortInput> inputs, ServerCallContext context)
    {
        RequireEnrolled();
        return ports.ForwardAsync(inputs, context.CancellationToken);
    }

    private Task<GetStatisticsReply> GetStatistics(GetStatisticsRequest request, ServerCallContext context)
    {
        RequireEnrolled();
        return statistics.CollectAsync(context.CancellationToken);
    }

    private void RequireEnrolled()
    {
        if (!identity.IsEnrolled)
        {
            throw new RpcException(StatusCode.FailedPrecondition, "not enrolled");
        }
    }
}
