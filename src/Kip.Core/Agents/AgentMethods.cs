using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agents;

/// <summary>The methods of <c>kip.agent.v1.CellAgent</c>.</summary>
internal static class AgentMethods
{
    private const string Service = "kip.agent.v1.CellAgent";

    public static readonly Method<HelloRequest, HelloReply> Hello =
        Method.Unary(Service, nameof(Hello), HelloRequest.Parser, HelloReply.Parser);

    public static readonly Method<CreateSigningRequestRequest, CreateSigningRequestReply> CreateSigningRequest =
        Method.Unary(Service, nameof(CreateSigningRequest), CreateSigningRequestRequest.Parser, CreateSigningRequestReply.Parser);

    public static readonly Method<InstallCertificateRequest, InstallCertificateReply> InstallCertificate =
        Method.Unary(Service, nameof(InstallCertificate), InstallCertificateRequest.Parser, InstallCertificateReply.Parser);

    public static readonly Method<ApplyPodRequest, ApplyPodReply> ApplyPod =
        Method.Unary(Service, nameof(ApplyPod), ApplyPodRequest.Parser, ApplyPodReply.Parser);

    public static readonly Method<StopPodRequest, StopPodReply> StopPod =
        Method.Unary(Service, nameof(StopPod), StopPodRequest.Parser, StopPodReply.Parser);

    public static readonly Method<PullImageRequest, PullImageReply> PullImage =
        Method.Unary(Service, nameof(PullImage), PullImageRequest.Parser, PullImageReply.Parser);

    public static readonly Method<WatchStatusRequest, StatusUpdate> WatchStatus =
        Method.ServerStreaming(Service, nameof(WatchStatus), WatchStatusRequest.Parser, StatusUpdate.Parser);

    public static readonly Method<ReadLogsRequest, LogChunk> ReadLogs =
        Method.ServerStreaming(Service, nameof(ReadLogs), ReadLogsRequest.Parser, LogChunk.Parser);

    public static readonly Method<SessionInput, SessionEvent> Exec =
        Method.DuplexStreaming(Service, nameof(Exec), SessionInput.Parser, SessionEvent.Parser);

    public static readonly Method<SessionInput, SessionEvent> Attach =
        Method.DuplexStreaming(Service, nameof(Attach), SessionInput.Parser, SessionEvent.Parser);

    public static readonly Method<PortInput, PortOutput> ForwardPort =
        Method.DuplexStreaming(Service, nameof(ForwardPort), PortInput.Parser, PortOutput.Parser);

    public static readonly Method<GetStatisticsRequest, GetStatisticsReply> GetStatistics =
        Method.Unary(Service, nameof(GetStatistics), GetStatisticsRequest.Parser, GetStatisticsReply.Parser);
}
