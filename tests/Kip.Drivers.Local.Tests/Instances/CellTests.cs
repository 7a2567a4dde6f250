using System.Globalization;
using System.IO.Pipes;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Agents;
using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Tests.Instances;

/// <summary>What a running cell is like inside.</summary>
public sealed class CellTests : IAsyncLifetime
{
    private const string Busybox = "docker.io/library/busybox:1.35";

    private readonly TestMachine _machine = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _machine.DisposeAsync();

    [RootFact]
    public async Task Disk_Filled_CellGetsNoSpaceAndTheHostIsUnaffected()
    {
        var (_, init) = await LaunchAsync(TestMachine.Request() with { DiskBytes = 256L << 20 });

        var (status, output) = await TestMachine.RunAsync(init, "dd", "if=/dev/zero", "of=/run/kip/disk/fill", "bs=1M", "count=300");

        Assert.NotEqual(0, status);
        Assert.Contains("No space left on device", output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(_machine.Directory, "still-room"), new string('x', 1 << 20));
    }

    [RootFact]
    public async Task Containerd_Killed_IsStartedAgainAndKeepsContainers()
    {
        var (id, init) = await LaunchAsync(TestMachine.Request());
        await ImportImagesAsync(init);
        var (status, message) = await TestMachine.RunAsync(
            init, "ctr", "-n", "k8s.io", "run", "--detach", "--cgroup", $"{Cgroups.PodsGroup(id)}/one", Busybox, "one", "sleep", "100000");
        Assert.True(status == 0, message);
        var container = Assert.Single(TestMachine.ProcessesOf(id, "sleep"));
        var old = Assert.Single(TestMachine.ProcessesOf(id, "containerd"));

        ProcessIdentity.Kill(old);

        await _machine.Eventually("another containerd runs", () => TestMachine.ProcessesOf(id, "containerd") is [var now] && now != old);
        await _machine.ContainerdReadyAsync(init);
        Assert.Contains(container, TestMachine.ProcessesOf(id, "sleep"));
        var (_, tasks) = await TestMachine.RunAsync(init, "ctr", "-n", "k8s.io", "tasks", "ls");
        Assert.Matches(@"one\s+\d+\s+RUNNING", tasks);
    }

    [RootFact]
    public async Task OpenFile_OfWhoeverLaunched_IsNotHeldByTheCell()
    {
        using var inherited = new AnonymousPipeServerStream(PipeDirection.Out, HandleInheritability.Inheritable);
        var pipe = new FileInfo($"/proc/self/fd/{inherited.ClientSafePipeHandle.DangerousGetHandle()}").LinkTarget;
        Assert.StartsWith("pipe:[", pipe, StringComparison.Ordinal);

        var (id, init) = await LaunchAsync(TestMachine.Request());

        var processes = TestMachine.ProcessesOf(id, "containerd").Append(init).ToList();
        Assert.NotEmpty(processes);
        Assert.DoesNotContain(processes.SelectMany(static process => Directory.EnumerateFiles($"/proc/{process}/fd")), file => new FileInfo(file).LinkTarget == pipe);
    }

    [RootFact]
    public async Task Agent_Killed_IsStartedAgain()
    {
        var (id, _) = await LaunchAsync(TestMachine.Request());
        var instance = await TestMachine.GetAsync(_machine.Driver(), id);
        await _machine.AskAgentAsync(instance, "arguments");
        var old = Assert.Single(TestMachine.ProcessesOf(id, "busybox"));

        ProcessIdentity.Kill(old);

        await _machine.Eventually("another agent runs", () => TestMachine.ProcessesOf(id, "busybox") is [var now] && now != old);
        await _machine.AskAgentAsync(instance, "arguments");
    }

    [RootFact]
    public async Task Init_Terminated_CellEndsByItself()
    {
        var (id, init) = await LaunchAsync(TestMachine.Request());

        await TestMachine.RunAsync(null, "kill", "-TERM", init.ToString(CultureInfo.InvariantCulture));

        await _machine.Eventually("the cell ends", async () => (await TestMachine.GetAsync(_machine.Driver(), id)).State == InstanceState.Terminated);
        Assert.Empty(Cgroups.OfThisMachine().Processes(id));
    }

    [RootFact]
    public async Task Services_Started_HaveDefaultSignalsAndAreInTheCellsGroups()
    {
        var (id, _) = await LaunchAsync(TestMachine.Request());
        var containerd = Assert.Single(TestMachine.ProcessesOf(id, "containerd"));

        // SIGINT (bit 1) and SIGQUIT (bit 2) must not be ignored: every container would inherit that.
        var ignored = File.ReadLines($"/proc/{containerd}/status").Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal));
        Assert.Equal(0UL, Convert.ToUInt64(ignored["SigIgn:".Length..].Trim(), 16) & 0b110);
        Assert.Contains($"/kip/{id}/system", File.ReadAllText($"/proc/{containerd}/cgroup"), StringComparison.Ordinal);
    }

    [RootFact]
    public async Task Cell_Running_ReachesTheHostAndOtherCellsAndHasItsOwnNames()
    {
        var (id, init) = await LaunchAsync(TestMachine.Request());
        var (other, _) = await LaunchAsync(TestMachine.Request());
        var address = (await TestMachine.GetAsync(_machine.Driver(), other)).Address!;
        var gateway = _machine.Cidr.Replace(".0/24", ".1", StringComparison.Ordinal);

        Assert.Equal(0, (await TestMachine.RunAsync(init, "busybox", "ping", "-c", "1", "-W", "20", gateway)).Status);
        Assert.Equal(0, (await TestMachine.RunAsync(init, "busybox", "ping", "-c", "1", "-W", "20", address)).Status);
        Assert.Equal(id, (await TestMachine.RunAsync(init, "hostname")).Output.Trim());
    }

    [RootFact]
    public async Task Cell_ImagesImported_RunsAContainerInItsGroup()
    {
        var (id, init) = await LaunchAsync(TestMachine.Request());
        await ImportImagesAsync(init);

        var (_, output) = await TestMachine.RunAsync(
            init, "ctr", "-n", "k8s.io", "run", "--rm", "--cgroup", $"{Cgroups.PodsGroup(id)}/one", Busybox, "one", "cat", "/proc/self/cgroup");

        Assert.Contains($"/kip/{id}/pods/one", output, StringComparison.Ordinal);
    }

    [AgentFact]
    public async Task Agent_Real_AnswersWithTls()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var authority = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        var boot = new CellBootConfiguration
        {
            CellId = "cell-1", ControllerCa = authority.ExportCertificatePem(), EnrolmentToken = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        };
        var driver = _machine.Driver(_machine.Options() with { AgentPath = TestMachine.RealAgent()! });

        var instance = await driver.LaunchAsync(TestMachine.Request() with { UserData = boot.ToJson() }, TestMachine.Limit);

        await _machine.Eventually("the agent shakes hands", async () =>
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(instance.Address!, 6421, TestMachine.Limit);
                using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: true, (_, certificate, _, _) => certificate is not null);
                await tls.AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions { TargetHost = "cell-1", ApplicationProtocols = [SslApplicationProtocol.Http2] }, TestMachine.Limit);
                return tls.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2;
            }
            catch (SocketException)
            {
                return false;
            }
        });
    }

    private async Task ImportImagesAsync(int init)
    {
        var script = Path.Combine(TestMachine.RepositoryRoot(), "samples", "images", "make-images");
        var images = Path.Combine(_machine.Directory, "images");
        Assert.Equal(0, (await TestMachine.RunAsync(null, script, images)).Status);
        foreach (var archive in new[] { "pause.tar", "busybox.tar" })
        {
            var (status, message) = await TestMachine.RunAsync(init, "ctr", "-n", "k8s.io", "images", "import", "--all-platforms", Path.Combine(images, archive));
            Assert.True(status == 0, message);
        }
    }

    private async Task<(string Id, int Init)> LaunchAsync(LaunchRequest request)
    {
        var id = (await _machine.Driver().LaunchAsync(request, TestMachine.Limit)).Id;
        var init = _machine.Cell(id).ReadInit()!.Id;
        await _machine.ContainerdReadyAsync(init);
        return (id, init);
    }
}
