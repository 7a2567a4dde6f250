using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Kip.Agent.CommandLine;
using Kip.Agent.Tests.Support;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agent.Tests.Enrolment;

/// <summary>Enrolment over real TLS connections to an agent in this process, without a container runtime.</summary>
public sealed class EnrolmentTests : IAsyncLifetime
{
    private const string CellId = "cell-1";
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-enrolment-test-").FullName;
    private readonly byte[] _token = RandomNumberGenerator.GetBytes(32);
    private readonly TestAuthority _authority = new();
    private readonly int _port = FreePort();
    private readonly StringWriter _log = new();
    private CancellationTokenSource _stop = new();
    private AgentHost? _agent;
    private Task _running = Task.CompletedTask;

    [Fact]
    public async Task Enrolment_ByTheBook_ServesWithTheNewCertificate()
    {
        await StartAsync();
        using var first = Connect();
        var nonce = RandomNumberGenerator.GetBytes(32);
        Assert.Equal(0, (await first.Hello()).CertificateNotAfterUnix);
        var reply = await first.CreateSigningRequest(nonce);

        var request = CertificateRequest.LoadSigningRequest(
            reply.SigningRequest.ToByteArray(), HashAlgorithmName.SHA256, CertificateRequestLoadOptions.UnsafeLoadCertificateExtensions);
        var key = request.PublicKey.ExportSubjectPublicKeyInfo();
        Assert.Equal($"CN={CellId}", request.SubjectName.Name);
        Assert.Contains(CellId, request.CertificateExtensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames());
        Assert.Equal(Proof(nonce, key), reply.Proof.ToByteArray());
        await first.Install(_authority.Sign(reply.SigningRequest.ToByteArray()), _authority.Certificate.RawData);

        using var second = Connect();
        Assert.NotEqual(0, (await second.Hello()).CertificateNotAfterUnix);
        Assert.Equal(key, second.ServerKey);
        Assert.Equal(_authority.Certificate.Subject, second.ServerIssuer);
    }

    [Fact]
    public async Task Restart_AfterEnrolment_KeepsTheCertificateAndTheTokenIsDead()
    {
        await StartAsync();
        using (var client = Connect())
        {
            await client.Enrol(_authority);
        }

        await StopAsync();
        await StartAsync();

        using var again = Connect();
        var renewal = await again.CreateSigningRequest(RandomNumberGenerator.GetBytes(32));
        Assert.Equal(_authority.Certificate.Subject, again.ServerIssuer);
        Assert.Empty(renewal.Proof);
        await again.Install(_authority.Sign(renewal.SigningRequest.ToByteArray()));
        var mode = File.GetUnixFileMode(Path.Combine(_directory, "state", "identity.pem"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode);
    }

    [Fact]
    public async Task Client_WithoutCertificate_IsNotLetIn()
    {
        await StartAsync();
        using var client = new AgentClient($"127.0.0.1:{_port}", null);

        await Assert.ThrowsAsync<RpcException>(() => client.Hello());
    }

    [Fact]
    public async Task Client_OfAnotherAuthority_IsNotLetIn()
    {
        await StartAsync();
        using var other = new TestAuthority();
        using var certificate = other.Client();
        using var client = new AgentClient($"127.0.0.1:{_port}", certificate);

        await Assert.ThrowsAsync<RpcException>(() => client.Hello());
    }

    [Fact]
    public async Task Client_WithAServersCertificate_IsNotLetIn()
    {
        await StartAsync();
        using var certificate = _authority.Client(TestAuthority.ServerAuthentication);
        using var client = new AgentClient($"127.0.0.1:{_port}", certificate);

        await Assert.ThrowsAsync<RpcException>(() => client.Hello());
    }

    [Fact]
    public async Task Install_OfWhatDoesNotFit_IsRefused()
    {
        await StartAsync();
        using var client = Connect();
        Assert.Equal(StatusCode.FailedPrecondition, (await Refused(() => client.Install(_authority.Certificate.RawData))).StatusCode);
        var old = await client.CreateSigningRequest(RandomNumberGenerator.GetBytes(32));
        var pending = await client.CreateSigningRequest(RandomNumberGenerator.GetBytes(32));
        using var other = new TestAuthority();

        foreach (var (chain, word) in new (byte[] Chain, string Word)[]
        {
            (_authority.Sign(old.SigningRequest.ToByteArray()), "key"),
            (_authority.Sign(pending.SigningRequest.ToByteArray(), "cell-2"), CellId),
            (other.Sign(pending.SigningRequest.ToByteArray()), "authority"),
            ("nonsense"u8.ToArray(), "not a certificate"),
        })
        {
            var error = await Refused(() => client.Install(chain));
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
            Assert.Contains(word, error.Status.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await client.Hello()).CertificateNotAfterUnix);
    }

    [Fact]
    public async Task Calls_BeforeEnrolment_AreRefused()
    {
        await StartAsync();
        using var client = Connect();

        Assert.Equal("not enrolled", (await Refused(() => client.Apply(new ApplyPodRequest()))).Status.Detail);
        Assert.Equal("not enrolled", (await Refused(() => client.Stop("x", 1))).Status.Detail);
        Assert.Equal(StatusCode.FailedPrecondition, (await Refused(() => First(client.Watch(CancellationToken.None)))).StatusCode);
        Assert.Equal(
            StatusCode.FailedPrecondition, (await Refused(() => First(client.Logs(new ReadLogsRequest(), CancellationToken.None)))).StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, (await Refused(() => client.CreateSigningRequest([1]))).StatusCode);
    }

    [Fact]
    public async Task Watch_WithoutAPod_BeginsWithAHeartbeat()
    {
        await StartAsync();
        using var client = Connect();
        await client.Enrol(_authority);

        Assert.NotNull((await First(client.Watch(CancellationToken.None))).Heartbeat);
    }

    [Fact]
    public async Task Log_NeverHoldsTheToken()
    {
        await StartAsync();
        using var client = Connect();
        await client.Enrol(_authority);
        await StopAsync();

        Assert.DoesNotContain(Convert.ToBase64String(_token), _log.ToString(), StringComparison.Ordinal);
        Assert.Contains("serves cell cell-1", _log.ToString(), StringComparison.Ordinal);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await StopAsync();
        _authority.Dispose();
        await _log.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task<T> First<T>(IAsyncEnumerable<T> items)
    {
        await foreach (var item in items)
        {
            return item;
        }

        throw new InvalidOperationException("the stream was empty");
    }

    private static Task<RpcException> Refused(Func<Task> call) => Assert.ThrowsAsync<RpcException>(call);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private byte[] Proof(byte[] nonce, byte[] key)
    {
        using var message = new MemoryStream();
        message.Write("kip-enrol-v1"u8);
        foreach (var field in (byte[][])[Encoding.ASCII.GetBytes(CellId), nonce, key])
        {
            var length = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(length, field.Length);
            message.Write(length);
            message.Write(field);
        }

        return HMACSHA256.HashData(_token, message.ToArray());
    }

    private AgentClient Connect() => new($"127.0.0.1:{_port}", _authority.Client());

    private async Task StartAsync()
    {
        var userData = UserData.Parse(Encoding.UTF8.GetBytes($$"""
            {"cellId":"{{CellId}}","controllerCa":{{System.Text.Json.JsonSerializer.Serialize(_authority.Pem)}},
             "enrolmentToken":"{{Convert.ToBase64String(_token)}}","port":{{_port}},"agentUrl":null,"future":[1]}
            """));
        var options = new AgentOptions
        {
            UserData = "",
            StateDirectory = Path.Combine(_directory, "state"),
            RuntimeEndpoint = Path.Combine(_directory, "nothing.sock"),
            RegistryConfigDirectory = Path.Combine(_directory, "certs.d"),
            Listen = IPAddress.Loopback,
        };
        _stop = new CancellationTokenSource();
        _agent = new AgentHost(options, userData, TimeProvider.System, TextWriter.Synchronized(_log));
        var serving = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _running = _agent.RunAsync(_stop.Token, serving.SetResult);
        await await Task.WhenAny(serving.Task, _running);
    }

    private async Task StopAsync()
    {
        if (_agent is not null)
        {
            await _stop.CancelAsync();
            await _running;
            await _agent.DisposeAsync();
            _agent = null;
            _stop.Dispose();
        }
    }
}
