using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>What the node's servers have in common: HTTP/1.1 on one port, with routing and nothing else.</summary>
internal static class HttpServers
{
    /// <param name="address">Where it listens; null, or that of all of IPv6, for everywhere, on machines without IPv6 too.</param>
    /// <param name="port">Its port; 0 for a free one.</param>
    /// <param name="configure">Says what is special of the port.</param>
    /// <param name="shutdownTimeout">How long requests may take to end when it stops.</param>
    /// <param name="loggers">Makes loggers.</param>
    public static WebApplicationBuilder NewBuilder(
        IPAddress? address, int port, Action<ListenOptions>? configure, TimeSpan shutdownTimeout, ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = shutdownTimeout);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            if (address is null || address.Equals(IPAddress.IPv6Any))
            {
                kestrel.ListenAnyIP(port, Listen);
            }
            else
            {
                kestrel.Listen(address, port, Listen);
            }
        });
        return builder;

        void Listen(ListenOptions listen)
        {
            // Upgrades are of HTTP/1.1.
            listen.Protocols = HttpProtocols.Http1;
            configure?.Invoke(listen);
        }
    }

    /// <summary>The port that a server which was started listens on.</summary>
    public static int PortOf(WebApplication application)
    {
        var addresses = application.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>();
        return BindingAddress.Parse(addresses.Addresses.First()).Port;
    }
}
