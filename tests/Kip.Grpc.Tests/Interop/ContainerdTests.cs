using System.Diagnostics;

using Google.Protobuf.WellKnownTypes;

using Kip.Grpc.Tests.Containerd;
using Kip.Grpc.Tests.Support;

namespace Kip.Grpc.Tests.Interop;

/// <summary>The client against a containerd of its own: a server in Go, over a unix socket.</summary>
public sealed class ContainerdTests : IAsyncLifetime, IDisposable
{
    private static readonly Method<Empty, VersionResponse> Version =
        Method.Unary("containerd.services.version.v1.Version", "Version", Empty.Parser, VersionResponse.Parser);

    private static readonly Method<Empty, Empty> Missing =
        Method.Unary("containerd.services.version.v1.Version", "Missing", Empty.Parser, Empty.Parser);

    private readonly TempFolder _folder = new();
    private Process? _containerd;
    private GrpcChannel? _channel;

    public async Task InitializeAsync()
    {
        if (ContainerdFactAttribute.MissingReason is not null)
        {
            return;
        }

        string socket = _folder.File("c.sock");
        await File.WriteAllTextAsync(_folder.File("config.toml"), $"""
            version = 2
            root = "{_folder.File("root")}"
            state = "{_folder.File("state")}"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
              address = "{socket}"
            [ttrpc]
              address = "{socket}.ttrpc"
            """);
        _containerd = Process.Start(new ProcessStartInfo("containerd", ["--config", _folder.File("config.toml")])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var serving = new TaskCompletionSource();
        _containerd.ErrorDataReceived += (_, line) =>
        {
            if (line.Data?.Contains("containerd successfully booted", StringComparison.Ordinal) == true)
            {
                serving.TrySetResult();
            }
        };
        _containerd.BeginErrorReadLine();
        _containerd.BeginOutputReadLine();
        await serving.Task.Within("containerd to say that it has booted");
        _channel = GrpcChannel.ForAddress("unix:" + socket);
    }

    public async Task DisposeAsync()
    {
        if (_containerd is not null)
        {
            _containerd.Kill();
            await _containerd.WaitForExitAsync().Within("containerd to end");
        }
    }

    public void Dispose()
    {
        _channel?.Dispose();
        _containerd?.Dispose();
        _folder.Dispose();
    }

    [ContainerdFact]
    public async Task Unary_Version_IsAnswered()
    {
        VersionResponse version = await _channel!
            .UnaryAsync(Version, new Empty(), new CallOptions(TimeSpan.FromSeconds(30))).Within("the version");

        Assert.Matches(@"^\D*\d+\.\d+", version.Version);
    }

    [ContainerdFact]
    public async Task Unary_UnknownMethod_IsUnimplemented()
    {
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => _channel!.UnaryAsync(Missing, new Empty()).Within("the answer"));

        Assert.Equal(StatusCode.Unimplemented, e.StatusCode);
        Assert.Contains("Missing", e.Status.Detail, StringComparison.Ordinal);
    }

    [ContainerdFact]
    public async Task Unary_AThousandTimes_IsAnsweredEachTime()
    {
        for (int i = 0; i < 1000; i++)
        {
            await _channel!.UnaryAsync(Version, new Empty(), new CallOptions(TimeSpan.FromSeconds(30))).Within("the version");
        }
    }
}

/// <summary>A test that needs containerd and the rights to run it.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ContainerdFactAttribute : FactAttribute
{
    public ContainerdFactAttribute() => Skip = MissingReason;

    public static string? MissingReason { get; } =
        !Environment.IsPrivilegedProcess ? "containerd needs root"
        : !Node.OnPath("containerd") ? "containerd is not installed (Debian: apt-get install containerd)"
        : null;
}
