using System.Runtime.CompilerServices;
using Google.Protobuf;
using Kip.Agent.CommandLine;
using Kip.Agent.Enrolment;
using Kip.Agent.Logs;
using Kip.Agent.Pods;
using Kip.Agent.Runtime;
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
    StatusBoard board,
    LogReader logs,
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
        routes.MapGrpcServerStreaming(
            Method.ServerStreaming(Service, "WatchStatus", WatchStatusRequest.Parser, StatusUpdate.Parser), WatchStatus);
        routes.MapGrpcServerStreaming(Method.ServerStreaming(Service, "ReadLogs", ReadLogsRequest.Parser, LogChunk.Parser), ReadLogs);
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

    private void RequireEnrolled()
    {
        if (!identity.IsEnrolled)
        {
            throw new RpcException(StatusCode.FailedPrecondition, "not enrolled");
        }
    }
}
