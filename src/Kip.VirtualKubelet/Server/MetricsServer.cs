using System.Net;
using Microsoft.AspNetCore.Builder;
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
        _application = HttpServers.NewBuilder(address.Address, address.Port, configure: null, shutdownTimeout, loggers).Build();
        _application.UseRouting();
        information.MapMeasurements(_application);
    }

    /// <summary>Where it listens, once it does.</summary>
    public int Port { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _application.StartAsync(cancellationToken).ConfigureAwait(false);
        Port = HttpServers.PortOf(_application);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }
}
