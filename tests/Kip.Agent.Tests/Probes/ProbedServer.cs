using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Agent.Probes.Health;
using Kip.Grpc;
using Kip.Grpc.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Kip.Agent.Tests.Probes;

/// <summary>Something to probe: HTTP, HTTPS with a certificate that nobody has signed, and gRPC, on ports of the loopback address.</summary>
public sealed class ProbedServer : IAsyncLifetime
{
    private readonly X509Certificate2 _certificate = SelfSigned();
    private WebApplication? _server;

    public int HttpPort { get; private set; }

    public int HttpsPort { get; private set; }

    public int GrpcPort { get; private set; }

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(new GrpcServerOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.ConfigureForGrpc();
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.UseHttps(_certificate);
            });
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        _server = builder.Build();
        _server.UseRouting();
        _server.MapGet("/status/{code:int}", (int code) => Results.StatusCode(code));
        _server.MapGet("/headers", (HttpRequest request) => string.Join('\n', request.Headers.Select(header => $"{header.Key}: {header.Value}")));
        _server.MapGet("/large", () => new string('x', 1 << 20));
        _server.MapGet("/never", (CancellationToken aborted) => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, aborted));
        _server.MapGet("/here", () => Results.Redirect("/status/200"));
        _server.MapGet("/there", () => Results.Redirect("http://elsewhere.invalid/"));
        _server.MapGet("/round", () => Results.Redirect("/round"));
        _server.MapGrpcUnary(
            Method.Unary("grpc.health.v1.Health", "Check", HealthCheckRequest.Parser, HealthCheckResponse.Parser),
            (request, _) => Task.FromResult(new HealthCheckResponse
            {
                Status = request.Service switch
                {
                    "" or "good" => HealthCheckResponse.Types.ServingStatus.Serving,
                    "bad" => HealthCheckResponse.Types.ServingStatus.NotServing,
                    _ => throw new RpcException(StatusCode.NotFound, "unknown service"),
                },
            }));
        await _server.StartAsync();
        var ports = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Select(address => new Uri(address).Port).ToList();
        (HttpPort, HttpsPort, GrpcPort) = (ports[0], ports[1], ports[2]);
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _certificate.Dispose();
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=nobody", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-2), now.AddDays(-1));
    }
}
