using Kip.Grpc.Tests.Support;

namespace Kip.Grpc.Tests.Interop;

/// <summary>grpc-js calls our server; what it expects is written in <c>js/client.js</c>.</summary>
public sealed class JavaScriptClientTests(EchoServers servers) : IClassFixture<EchoServers>
{
    [NodeTheory]
    [InlineData("unary")]
    [InlineData("empty")]
    [InlineData("large")]
    [InlineData("tooLarge")]
    [InlineData("fail")]
    [InlineData("unimplemented")]
    [InlineData("metadata")]
    [InlineData("deadline")]
    [InlineData("cancel")]
    [InlineData("serverStream")]
    [InlineData("serverStreamFails")]
    [InlineData("clientStream")]
    [InlineData("duplex")]
    public Task Call_OverHttp_GoesAsGrpcJsExpects(string scenario) => RunAsync(EchoServer.CSharpHttp, scenario);

    [NodeTheory]
    [InlineData("unary")]
    [InlineData("fail")]
    [InlineData("duplex")]
    public Task Call_OverUnixSocket_GoesAsGrpcJsExpects(string scenario) => RunAsync(EchoServer.CSharpUnix, scenario);

    [NodeTheory]
    [InlineData("unary")]
    [InlineData("fail")]
    [InlineData("cancel")]
    [InlineData("duplex")]
    public Task Call_OverMutualTls_GoesAsGrpcJsExpects(string scenario) => RunAsync(EchoServer.CSharpMutualTls, scenario);

    private async Task RunAsync(EchoServer server, string scenario)
    {
        string address = (await servers.AddressAsync(server))
            .Replace("https://", "", StringComparison.Ordinal).Replace("http://", "", StringComparison.Ordinal);
        string[] pem = server == EchoServer.CSharpMutualTls ? [servers.PemFolder] : [];
        await Node.RunAsync("client.js", [address, scenario, .. pem]);
    }
}
