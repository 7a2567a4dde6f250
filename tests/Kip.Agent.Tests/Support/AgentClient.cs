using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agent.Tests.Support;

/// <summary>The controller's side of kip.agent.v1.</summary>
internal sealed class AgentClient : IDisposable
{
    private const string Service = "kip.agent.v1.CellAgent";
    private static readonly CallOptions _options = new(TimeSpan.FromSeconds(60));
    private readonly GrpcChannel _channel;

    public AgentClient(string address, X509Certificate2? certificate)
    {
        _channel = GrpcChannel.ForAddress($"https://{address}", new GrpcChannelOptions
        {
            Ssl = new SslClientAuthenticationOptions
            {
                ClientCertificates = certificate is null ? [] : [certificate],
                RemoteCertificateValidationCallback = (_, server, _, _) =>
                {
                    ServerKey = ((X509Certificate2)server!).PublicKey.ExportSubjectPublicKeyInfo();
                    ServerIssuer = ((X509Certificate2)server).Issuer;
                    // Before enrolment it is self-signed; the tests look at the key themselves.
                    return ServerKey.Length > 0;
                },
            },
        });
    }

    /// <summary>The public key that the agent served with on the last connection.</summary>
    public byte[] ServerKey { get; private set; } = [];

    public string ServerIssuer { get; private set; } = "";

    public Task<HelloReply> Hello() => Call("Hello", new HelloRequest { ControllerVersion = "test" }, HelloRequest.Parser, HelloReply.Parser);

    public Task<CreateSigningRequestReply> CreateSigningRequest(byte[] nonce) => Call(
        "CreateSigningRequest",
        new CreateSigningRequestRequest { Nonce = ByteString.CopyFrom(nonce) },
        CreateSigningRequestRequest.Parser,
        CreateSigningRequestReply.Parser);

    public Task<InstallCertificateReply> Install(params byte[][] chain) => Call(
        "InstallCertificate",
        new InstallCertificateRequest { Chain = { chain.Select(der => ByteString.CopyFrom(der)) } },
        InstallCertificateRequest.Parser,
        InstallCertificateReply.Parser);

    public Task<ApplyPodReply> Apply(ApplyPodRequest request) =>
        Call("ApplyPod", request, ApplyPodRequest.Parser, ApplyPodReply.Parser);

    public Task<StopPodReply> Stop(string uid, long grace) => Call(
        "StopPod", new StopPodRequest { PodUid = uid, GracePeriodSeconds = grace }, StopPodRequest.Parser, StopPodReply.Parser);

    public Task<PullImageReply> PullImage(string image) =>
        Call("PullImage", new PullImageRequest { Image = image }, PullImageRequest.Parser, PullImageReply.Parser);

    public IAsyncEnumerable<StatusUpdate> Watch(CancellationToken cancellationToken) => _channel.ServerStreamingAsync(
        Method.ServerStreaming(Service, "WatchStatus", WatchStatusRequest.Parser, StatusUpdate.Parser),
        new WatchStatusRequest(),
        default,
        cancellationToken);

    public IAsyncEnumerable<LogChunk> Logs(ReadLogsRequest request, CancellationToken cancellationToken) => _channel.ServerStreamingAsync(
        Method.ServerStreaming(Service, "ReadLogs", ReadLogsRequest.Parser, LogChunk.Parser), request, default, cancellationToken);

    /// <summary>What a container of the world's pod has printed.</summary>
    public async Task<string> LogAsync(string container = "main")
    {
        var log = new System.Text.StringBuilder();
        await foreach (var chunk in Logs(new ReadLogsRequest { PodUid = CellWorld.PodUid, Container = container, TailLines = -1 }, CancellationToken.None))
        {
            log.Append(chunk.Data.ToStringUtf8());
        }

        return log.ToString();
    }

    /// <summary>The whole enrolment, as a controller does it.</summary>
    public async Task Enrol(TestAuthority authority)
    {
        var reply = await CreateSigningRequest(RandomNumberGenerator.GetBytes(32));
        await Install(authority.Sign(reply.SigningRequest.ToByteArray()), authority.Certificate.RawData);
    }

    public void Dispose() => _channel.Dispose();

    private Task<TResponse> Call<TRequest, TResponse>(
        string name, TRequest request, MessageParser<TRequest> requests, MessageParser<TResponse> responses)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        _channel.UnaryAsync(Method.Unary(Service, name, requests, responses), request, _options);
}
