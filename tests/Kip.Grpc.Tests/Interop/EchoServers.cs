using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;

using Kip.Grpc.Tests.Support;

using Xunit.Sdk;

namespace Kip.Grpc.Tests.Interop;

/// <summary>An implementation of the echo service and how it is reached.</summary>
public enum EchoServer
{
    CSharpHttp,
    CSharpUnix,
    CSharpMutualTls,
    JavaScriptHttp,
    JavaScriptUnix,
    JavaScriptMutualTls,
}

/// <summary>Rows for the servers in C#.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CSharpServersAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        [[EchoServer.CSharpHttp], [EchoServer.CSharpUnix], [EchoServer.CSharpMutualTls]];
}

/// <summary>Rows for the servers in JavaScript.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class JavaScriptServersAttribute : DataAttribute
{
    public JavaScriptServersAttribute() => Skip = Node.MissingReason;

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        [[EchoServer.JavaScriptHttp], [EchoServer.JavaScriptUnix], [EchoServer.JavaScriptMutualTls]];
}

/// <summary>Every kind of echo server, started when a test first asks for it.</summary>
public sealed class EchoServers : IAsyncLifetime, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TestCertificates _certificates;
    private readonly ConcurrentDictionary<EchoServer, Lazy<Task<(string Address, IAsyncDisposable Owner)>>> _servers = new();

    public EchoServers() => _certificates = new TestCertificates(_folder.Path);

    internal string PemFolder => _folder.Path;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (Lazy<Task<(string Address, IAsyncDisposable Owner)>> server in _servers.Values)
        {
            await (await server.Value).Owner.DisposeAsync();
        }
    }

    public void Dispose()
    {
        _certificates.Dispose();
        _folder.Dispose();
    }

    internal async Task<string> AddressAsync(EchoServer server) =>
        (await _servers.GetOrAdd(server, kind => new(() => StartAsync(kind))).Value.Within($"the start of {server}")).Address;

    internal async Task<GrpcChannel> OpenAsync(EchoServer server, int? maxReceive = 4 * 1024 * 1024)
    {
        bool tls = server is EchoServer.CSharpMutualTls or EchoServer.JavaScriptMutualTls;
        return GrpcChannel.ForAddress(await AddressAsync(server), new GrpcChannelOptions
        {
            Ssl = tls ? _certificates.ClientOptions() : null,
            MaxReceiveMessageSize = maxReceive,
        });
    }

    private async Task<(string Address, IAsyncDisposable Owner)> StartAsync(EchoServer kind)
    {
        string socket = _folder.File(kind + ".sock");
        switch (kind)
        {
            case EchoServer.CSharpHttp or EchoServer.CSharpUnix or EchoServer.CSharpMutualTls:
                TestServer kestrel = await TestServer.StartAsync(
                    new EchoService().Map,
                    kind == EchoServer.CSharpUnix ? socket : null,
                    kind == EchoServer.CSharpMutualTls ? _certificates : null);
                return (kestrel.Address, kestrel);
            case EchoServer.JavaScriptUnix:
                return ($"unix:{socket}", (await JavaScriptServer.StartAsync($"unix:{socket}")).Server);
            case EchoServer.JavaScriptHttp:
                (JavaScriptServer plain, int plainPort) = await JavaScriptServer.StartAsync("127.0.0.1:0");
                return ($"http://127.0.0.1:{plainPort}", plain);
            default:
                (JavaScriptServer secure, int securePort) = await JavaScriptServer.StartAsync("127.0.0.1:0", _folder.Path);
                return ($"https://127.0.0.1:{securePort}", secure);
        }
    }
}

/// <summary>The echo server of <c>js/server.js</c> in a process of its own.</summary>
internal sealed class JavaScriptServer : IAsyncDisposable
{
    private readonly Process _process;

    private JavaScriptServer(Process process) => _process = process;

    public static async Task<(JavaScriptServer Server, int Port)> StartAsync(params string[] arguments)
    {
        var server = new JavaScriptServer(await Node.StartAsync("server.js", arguments));
        try
        {
            string? line = await server._process.StandardOutput.ReadLineAsync().Within("the first line of server.js");
            Assert.True(line is not null, "server.js ended: " + (line is null ? await server._process.StandardError.ReadToEndAsync() : ""));
            return (server, int.Parse(line!.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture));
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync().Within("the end of server.js");
        _process.Dispose();
    }
}
