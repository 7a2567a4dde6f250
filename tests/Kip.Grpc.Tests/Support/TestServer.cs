using System.Security.Authentication;

using Kip.Grpc.Server;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kip.Grpc.Tests.Support;

/// <summary>A Kestrel of one's own on a free port of loopback or on a unix socket.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    private TestServer(WebApplication application, string address, LogRecorder log)
    {
        _application = application;
        Address = address;
        Log = log;
    }

    public string Address { get; }

    public LogRecorder Log { get; }

    public static async Task<TestServer> StartAsync(
        Action<IEndpointRouteBuilder> map,
        string? unixPath = null,
        TestCertificates? tls = null,
        GrpcServerOptions? options = null,
        HttpProtocols protocols = HttpProtocols.Http2)
    {
        var log = new LogRecorder();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(log).SetMinimumLevel(LogLevel.Debug);
        if (options is not null)
        {
            builder.Services.AddSingleton(options);
        }

        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.ConfigureForGrpc();
            if (unixPath is not null)
            {
                kestrel.ListenUnixSocket(unixPath, listen => listen.Protocols = protocols);
                return;
            }

            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = protocols;
                if (tls is not null)
                {
                    listen.UseHttps(https =>
                    {
                        https.ServerCertificate = tls.Server;
                        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                        https.SslProtocols = SslProtocols.Tls13;
                        https.ClientCertificateValidation = (certificate, _, _) => tls.IsOurs(certificate);
                    });
                    listen.UseWholeTlsRecords();
                }
            });
        });
        WebApplication application = builder.Build();
        map(application);
        await application.StartAsync();
        string address = application.Services.GetRequiredService<IServer>().Features
            .Get<IServerAddressesFeature>()!.Addresses.Single();
        return new TestServer(application, unixPath is null ? address : "unix:" + unixPath, log);
    }

    public Task StopAsync(CancellationToken cancellationToken) => _application.StopAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync(); // streams that are still open are cut off, not waited for
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }
}
