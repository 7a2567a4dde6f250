using System.Net;
using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Server;
using Kip.VirtualKubelet.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Server;

/// <summary>A real API server and the controller manager's signer; kubectl approves.</summary>
[Collection(ClusterCollection.Name)]
public sealed class ClusterCertificateTests(SharedControlPlane cluster) : IDisposable
{
    private static readonly IPAddress Address = IPAddress.Parse("10.1.2.3");

    private readonly string _name = $"n{Guid.NewGuid():N}"[..12];
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-certificate-").FullName;
    private readonly RecordedEvents _events = new();
    // An hour in two seconds.
    private readonly TestTime _time = new(speed: 2000);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [ControlPlaneFact]
    public async Task Run_WithTheNodesOwnCredentials_ServesWhatTheClusterSignsOnceItIsApproved()
    {
        await using var host = await StartAsync(await cluster.Plane.KubeconfigForAsync($"system:node:{_name}", "system:nodes"));
        var request = await PendingAsync(host);
        Assert.False(host.Certificate.IsSigned);
        Assert.Equal(host.Certificate.Current.TargetCertificate.Issuer, host.Certificate.Current.TargetCertificate.Subject);

        await cluster.Plane.KubectlAsync("certificate", "approve", request);
        await NodeWorld.EventuallyAsync("the certificate", () => Task.FromResult(host.Certificate.IsSigned));

        var served = host.Certificate.Current.TargetCertificate;
        Assert.True(served.HasPrivateKey);
        Assert.Equal($"CN=system:node:{_name}, O=system:nodes", served.Subject);
        Assert.True(served.MatchesHostname(Address.ToString()) && served.MatchesHostname(_name));
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(Path.Combine(cluster.Plane.Directory, "pki", "ca.crt"));
        Assert.True(chain.Build(served), string.Join(' ', chain.ChainStatus.Select(static s => s.StatusInformation)));
    }

    [ControlPlaneFact]
    public async Task Run_AfterARestart_ServesTheKeptCertificateWithoutAsking()
    {
        string thumbprint;
        await using (var first = await StartAsync())
        {
            await ApproveAsync(first);
            await NodeWorld.EventuallyAsync("the file", () => Task.FromResult(File.Exists(CertificateFile)));
            thumbprint = first.Certificate.Current.TargetCertificate.Thumbprint;
        }

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(CertificateFile));
        await using var second = await StartAsync();
        Assert.Equal(thumbprint, second.Certificate.Current.TargetCertificate.Thumbprint);
        Assert.Single(await RequestsAsync());
    }

    [ControlPlaneFact]
    public async Task Run_FileOfAnotherAddressOrBroken_IsNotServed()
    {
        await using (var first = await StartAsync())
        {
            await ApproveAsync(first);
            await NodeWorld.EventuallyAsync("the file", () => Task.FromResult(File.Exists(CertificateFile)));
        }

        using (var moved = Create(null!, IPAddress.Parse("10.9.9.9")))
        {
            Assert.False(moved.IsSigned);
        }

        await File.WriteAllTextAsync(CertificateFile, (await File.ReadAllTextAsync(CertificateFile))[..300]);
        using var broken = Create(null!, Address);
        Assert.False(broken.IsSigned);
    }

    [ControlPlaneFact]
    public async Task Run_WhenItsTimeIsNearlyOver_AsksAgainAndServesTheOldOneMeanwhile()
    {
        await using var host = await StartAsync();
        await ApproveAsync(host);
        var (old, first) = (host.Certificate.Current.TargetCertificate.Thumbprint, await RequestsAsync());

        // A year is what the signer gives.
        _time.Set(TimeSpan.FromDays(330));
        await NodeWorld.EventuallyAsync("a second request", async () => (await RequestsAsync()).Count == 2);
        Assert.Equal(old, host.Certificate.Current.TargetCertificate.Thumbprint);
        await cluster.Plane.KubectlAsync("certificate", "approve", (await RequestsAsync()).Except(first).Single());

        await NodeWorld.EventuallyAsync("another certificate", () => Task.FromResult(host.Certificate.Current.TargetCertificate.Thumbprint != old));
    }

    [ControlPlaneFact]
    public async Task Run_Denied_SaysWhyAndSignsForItself()
    {
        await using var host = await StartAsync();

        await cluster.Plane.KubectlAsync("certificate", "deny", await PendingAsync(host));

        await NodeWorld.EventuallyAsync("the event", () => Task.FromResult(_events.All.Any(static e => e.Contains("ServingCertificateRefused", StringComparison.Ordinal))));
        Assert.Matches("Warning ServingCertificateRefused: request kip-serving-.*: Denied: .+", _events.All.Last());
        Assert.False(host.Certificate.IsSigned);
    }

    [ControlPlaneFact]
    public async Task Run_RequestClearedAway_IsMadeAgain()
    {
        await using var host = await StartAsync();
        var request = await PendingAsync(host);

        await cluster.Plane.KubectlAsync("delete", "csr", request);

        await NodeWorld.EventuallyAsync("the same request again", async () => (await RequestsAsync()).Contains(request));
        await cluster.Plane.KubectlAsync("certificate", "approve", request);
        await NodeWorld.EventuallyAsync("the certificate", () => Task.FromResult(host.Certificate.IsSigned));
    }

    [ControlPlaneFact]
    public async Task Run_NotAllowedToAsk_SignsForItselfAndAsksAgainLater()
    {
        var user = $"user-{_name}";
        await using var host = await StartAsync(await cluster.Plane.KubeconfigForAsync(user));
        await Task.WhenAny(host.Running, Task.Delay(TimeSpan.FromMinutes(10), _time));
        Assert.False(host.Running.IsCompleted);
        Assert.Empty(await RequestsAsync());

        await cluster.Plane.KubectlAsync("create", "clusterrole", user, "--verb=create,get,list,watch", "--resource=certificatesigningrequests.certificates.k8s.io");
        await cluster.Plane.KubectlAsync("create", "clusterrolebinding", user, $"--clusterrole={user}", $"--user={user}");

        await ApproveAsync(host);
    }

    private string CertificateFile => Path.Combine(_folder, "serving.pem");

    private async Task ApproveAsync(Host host)
    {
        await cluster.Plane.KubectlAsync("certificate", "approve", await PendingAsync(host));
        await NodeWorld.EventuallyAsync("the certificate", () => Task.FromResult(host.Certificate.IsSigned));
    }

    /// <summary>The request that an operator is told to approve.</summary>
    private async Task<string> PendingAsync(Host host)
    {
        const string Command = "kubectl certificate approve ";
        string? told = null;
        await NodeWorld.EventuallyAsync("the operator to be told", () =>
        {
            Assert.False(host.Running.IsCompleted, host.Running.Exception?.ToString());
            told = _events.All.LastOrDefault(static e => e.Contains(Command, StringComparison.Ordinal));
            return Task.FromResult(told is not null);
        });
        return told![(told!.IndexOf(Command, StringComparison.Ordinal) + Command.Length)..];
    }

    private async Task<List<string>> RequestsAsync()
    {
        var configuration = await KubernetesConfiguration.LoadAsync(cluster.Plane.Kubeconfig, null, TimeProvider.System, default);
        using var client = new KubernetesClient(configuration, null, TimeProvider.System);
        var all = await client.ListAsync(Resources.CertificateSigningRequests, "", null, default);
        return [.. all.Items.Where(r => IsOfThisNode(r)).Select(static r => r.Metadata.Name!)];
    }

    private bool IsOfThisNode(CertificateSigningRequest request) =>
        CertificateRequest.LoadSigningRequestPem(System.Text.Encoding.ASCII.GetString(request.Spec.Request!), System.Security.Cryptography.HashAlgorithmName.SHA256)
            .SubjectName.Name.Contains($"system:node:{_name}", StringComparison.Ordinal);

    private async Task<Host> StartAsync(string? kubeconfig = null)
    {
        var configuration = await KubernetesConfiguration.LoadAsync(kubeconfig ?? cluster.Plane.Kubeconfig, null, TimeProvider.System, default);
        var client = new KubernetesClient(configuration, null, TimeProvider.System);
        return new Host(client, Create(client, Address));
    }

    private ClusterCertificate Create(IKubernetesClient client, IPAddress address) =>
        new(_name, address, CertificateFile, client, _events, _time, new Random(1), NullLogger.Instance);

    private sealed class Host : IAsyncDisposable
    {
        private readonly KubernetesClient _client;
        private readonly CancellationTokenSource _lifetime = new();

        public Host(KubernetesClient client, ClusterCertificate certificate)
        {
            (_client, Certificate) = (client, certificate);
            Running = certificate.RunAsync(_lifetime.Token);
        }

        public ClusterCertificate Certificate { get; }

        public Task Running { get; }

        public async ValueTask DisposeAsync()
        {
            await _lifetime.CancelAsync();
            await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Certificate.Dispose();
            _client.Dispose();
            _lifetime.Dispose();
        }
    }
}
