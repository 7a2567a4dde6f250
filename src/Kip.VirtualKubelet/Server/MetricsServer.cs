using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>
/// What is measured of the node and its pods, over plain HTTP and for whoever reaches the address. A server of its own, so that
/// nothing else of the kubelet API can be reached there.
/// </summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    public MetricsServer(IPEndPoint address, InformationEndpoint information, TimeSpan shutdownTimeout, ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = shutdownTimeout);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            if (address.Address.Equals(IPAddress.IPv6Any))
            {
                kestrel.ListenAnyIP(address.Port, Configure); // machines without IPv6 too
            }
            else
            {
                kestrel.Listen(address, Configure);
            }
        });
        _application = builder.Build();
        _application.UseRouting();
        information.MapMeasurements(_application);

        static void Configure(ListenOptions listen) => listen.Protocols = HttpProtocols.Http1;
    }

    /// <summary>Where it listens, once it does.</summary>
    public int Port { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _application.StartAsync(cancellationToken).ConfigureAwait(false);
        Port = KubeletServer.PortOf(_application);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }
}
