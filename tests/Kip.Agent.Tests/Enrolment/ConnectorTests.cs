using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Kip.Agent.CommandLine;
using Kip.Agents;
using Kip.Cells;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Agent.Tests.Enrolment;

/// <summary>The controller's side of enrolment (Kip.Core) against the agent's, over real TLS.</summary>
public sealed class ConnectorTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-connector-test-").FullName;
    private readonly VirtualClock _clock = new(TimeProvider.System.GetUtcNow());
    private readonly CertificateAuthority _authority;
    private readonly CancellationTokenSource _stop = new();
    private readonly int _port = FreePort();
    private AgentHost? _agent;
    private Task _running = Task.CompletedTask;

    public ConnectorTests() => _authority = CertificateAuthority.Create(_clock);

    private string IdentityFile => Path.Combine(_directory, "state", "identity.pem");

    public async Task InitializeAsync()
    {
        var boot = new CellBootConfiguration { CellId = "cell-1", ControllerCa = _authority.CertificatePem, EnrolmentToken = Connector().GetEnrolmentToken(New()), Port = _port };
        var options = new AgentOptions
        {
            UserData = "",
            StateDirectory = Path.Combine(_directory, "state"),
            VolumeDirectory = Path.Combine(_directory, "volumes"),
            RuntimeEndpoint = Path.Combine(_directory, "nothing.sock"),
            RegistryConfigDirectory = Path.Combine(_directory, "certs.d"),
            Listen = IPAddress.Loopback,
        };
        _agent = new AgentHost(options, UserData.Parse(Encoding.UTF8.GetBytes(boot.ToJson())), TimeProvider.System, TextWriter.Null);
        var serving = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _running = _agent.RunAsync(_stop.Token, serving.SetResult);
        await await Task.WhenAny(serving.Task, _running);
    }

    public async Task DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _agent!.DisposeAsync();
        _stop.Dispose();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Connect_NewAgent_IsEnrolled_AndNeedsNoTokenAfterwards()
    {
        var steps = new List<AgentConnectStep>();

        await using (await Connector().ConnectAsync(New(), steps.Add, default))
        {
        }

        Assert.Equal([AgentConnectStep.Answered, AgentConnectStep.Enrolled], steps);
        await using var again = await Connector().ConnectAsync(Known(), null, default);
        Assert.NotEmpty(again.Instance);
    }

    [Fact]
    public async Task ApplyPod_WithVolumes_CarriesTheirContents()
    {
        await using var agent = await Connector().ConnectAsync(New(), null, default);
        var pod = new Pod
        {
            Metadata = new() { Name = "pod", Namespace = "default", Uid = "uid-1" },
            Spec = new() { Containers = [new() { Name = "main", Image = "none" }], Volumes = [new() { Name = "v", Secret = new() { SecretName = "s" } }] },
        };
        var assignment = new PodAssignment(pod, "10.1.2.3", []);

        var refused = await Assert.ThrowsAsync<AgentException>(() => agent.ApplyPodAsync(assignment, default));
        Assert.Equal((AgentErrorKind.Refused, "spec.volumes: the contents of 'v', which come from API objects, are missing"), (refused.Kind, refused.Message));
        var bad = assignment with { Volumes = [new ResolvedVolume("v", [new ResolvedFile("../a", new byte[] { 1 }, 0)])] };
        Assert.Equal(AgentErrorKind.Refused, (await Assert.ThrowsAsync<AgentException>(() => agent.ApplyPodAsync(bad, default))).Kind);
        await agent.ApplyPodAsync(assignment with { Volumes = [new ResolvedVolume("v", [new ResolvedFile("a", "hidden"u8.ToArray(), 256, 1000)])] }, default);

        Assert.DoesNotContain("hidden", await File.ReadAllTextAsync(Path.Combine(_directory, "state", "pod.bin")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_WithTheDeadTokenOfAnEnrolledAgent_Succeeds()
    {
        // As after a controller's death between installing the certificate and recording so.
        await using (await Connector().ConnectAsync(New(), null, default))
        {
        }

        await using var again = await Connector().ConnectAsync(New(), null, default);

        Assert.NotEmpty(again.Instance);
    }

    [Fact]
    public async Task Connect_AgentOfAnotherLaunch_IsUntrusted_AndGetsNoCertificate()
    {
        var e = await Assert.ThrowsAsync<AgentException>(() => Connector().ConnectAsync(New() with { LaunchToken = new string('1', 32) }, null, default));

        Assert.Equal(AgentErrorKind.Untrusted, e.Kind);
        Assert.Contains("cannot prove to be cell-1", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(IdentityFile));
    }

    [Fact]
    public async Task Connect_AddressThatAnotherCellHasNow_IsRefused()
    {
        await using (await Connector().ConnectAsync(New(), null, default))
        {
        }

        await Assert.ThrowsAsync<AgentException>(() => Connector().ConnectAsync(Known() with { Id = "cell-2" }, null, default));
    }

    [Fact]
    public async Task Connect_FromAnotherAuthority_IsRefusedByTheAgent()
    {
        using var stranger = CertificateAuthority.Create(_clock);

        await Assert.ThrowsAsync<AgentException>(() => Connector(stranger).ConnectAsync(New(), null, default));

        Assert.False(File.Exists(IdentityFile));
    }

    [Fact]
    public async Task Watch_CertificatePastHalfOfItsLife_IsRenewed()
    {
        await using (await Connector().ConnectAsync(New(), null, default))
        {
        }

        var first = NotAfter();
        _clock.Advance((CertificateAuthority.CellLifetime / 2) + TimeSpan.FromMinutes(1));
        await using var agent = await Connector().ConnectAsync(Known(), null, default);

        await using var updates = agent.WatchAsync(0, default).GetAsyncEnumerator();
        Assert.True(await updates.MoveNextAsync());

        Assert.True(NotAfter() > first + TimeSpan.FromHours(12), $"{NotAfter()} is not half a day after {first}");
        await using var renewed = await Connector().ConnectAsync(Known(), null, default);
        Assert.Equal(agent.Instance, renewed.Instance);
    }

    private GrpcAgentConnector Connector(CertificateAuthority? authority = null) =>
        new(authority ?? _authority, _clock, NullLogger<GrpcAgentConnector>.Instance, _port);

    private DateTime NotAfter()
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(IdentityFile));
        return certificate.NotAfter;
    }

    // One whose agent was enrolled.
    private static CellRecord Known() => New() with { State = CellState.Claimed };

    private static CellRecord New() => new()
    {
        Id = "cell-1",
        Owner = "test",
        State = CellState.Booting,
        StateSince = DateTimeOffset.UnixEpoch,
        CreatedAt = DateTimeOffset.UnixEpoch,
        Pod = new PodReference("default", "pod", "uid"),
        LaunchToken = new string('0', 32),
        InstanceType = "type",
        Zone = "zone",
        Address = "127.0.0.1",
    };

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
