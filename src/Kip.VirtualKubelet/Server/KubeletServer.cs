using System.Net.Security;
using System.Net.Sockets;
using Kip.Grpc.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>
/// The kubelet API: what the API server calls for logs, exec, attach and port-forward, and metrics-server for statistics. HTTPS only;
/// every path asks who calls and whether it may.
/// </summary>
public sealed class KubeletServer : IAsyncDisposable
{
    private const int KeepAliveSeconds = 20;
    private const int KeepAliveRetries = 3;
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(5);

    private readonly WebApplication _application;
    private readonly MetricsServer? _metrics;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Makes the server; <see cref="StartAsync"/> opens it.</summary>
    /// <param name="options">How it is served.</param>
    /// <param name="host">The pods.</param>
    /// <param name="authenticator">Who callers are.</param>
    /// <param name="authorizer">What they may.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Makes loggers.</param>
    public KubeletServer(
        KubeletServerOptions options,
        IPodHost host,
        IKubeletAuthenticator authenticator,
        IKubeletAuthorizer authorizer,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(options);
        var log = loggers.CreateLogger<KubeletServer>();
        _application = Build(options, loggers);
        var access = new AccessControl(authenticator, authorizer, log);
        _application.Use(next => context => EndWithServerAsync(context, next));
        _application.Use(next => context => access.InvokeAsync(context, next));
        _application.UseRouting();
        var information = new InformationEndpoint(host, new StatisticsCollector(host, options, time, log), options, () => Port, time);
        Map(_application, options, host, information, time, log);
        _metrics = options.PlainMetrics is { } address ? new MetricsServer(address, information, ShutdownTimeout, loggers) : null;
    }

    /// <summary>Where the server listens, once it does.</summary>
    public int Port { get; private set; }

    /// <summary>Where <see cref="KubeletServerOptions.PlainMetrics"/> are served, once they are; 0 for nowhere.</summary>
    public int PlainMetricsPort => _metrics?.Port ?? 0;

    /// <summary>Opens the server.</summary>
    /// <exception cref="IOException">A port is taken.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _application.StartAsync(cancellationToken).ConfigureAwait(false);
        Port = HttpServers.PortOf(_application);
        if (_metrics is not null)
        {
            await _metrics.StartAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Closes the server and ends every session.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
        if (_metrics is not null)
        {
            await _metrics.DisposeAsync().ConfigureAwait(false);
        }

        _stopping.Dispose();
    }

    private static WebApplication Build(KubeletServerOptions options, ILoggerFactory loggers)
    {
        var builder = HttpServers.NewBuilder(options.Address, options.Port, Configure, ShutdownTimeout, loggers);
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(static kestrel =>
        {
            // Sessions and followed logs are as slow and as long as their users.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        builder.WebHost.UseSockets(sockets => sockets.CreateBoundListenSocket = endpoint =>
        {
            // Connections take it over: one whose peer has vanished is noticed, though nothing is sent on it.
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveRetries);
            return socket;
        });
        return builder.Build();

        void Configure(ListenOptions listen)
        {
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = options.Certificate(),
                    AllowTlsResume = false, // who calls is asked with each connection

                    // Taken from anybody here, verified with everything else by the authenticator: a bad one is no better than none.
                    ClientCertificateRequired = true,
#pragma warning disable CA5359 // It is no server's.
                    RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
                }),
            });
            listen.UseWholeTlsRecords();
        }
    }

    private async Task EndWithServerAsync(HttpContext context, RequestDelegate next)
    {
        using var stop = _stopping.Token.Register(context.Abort);
        await next(context).ConfigureAwait(false);
    }

    private static void Map(
        WebApplication application, KubeletServerOptions options, IPodHost host, InformationEndpoint information, TimeProvider time, ILogger log)
    {
        var logs = new LogEndpoint(host, time, log);
        var commands = new CommandEndpoint(host, options, time, log);
        var ports = new PortForwardEndpoint(host, options, log);

        application.MapGet("/healthz", (RequestDelegate)InformationEndpoint.HealthAsync);
        application.MapGet("/healthz/{check}", (RequestDelegate)InformationEndpoint.HealthAsync);
        application.MapGet("/pods", (RequestDelegate)information.PodsAsync);
        application.MapGet("/runningpods", (RequestDelegate)information.RunningPodsAsync);
        application.MapGet("/configz", (RequestDelegate)information.ConfigurationAsync);
        information.MapMeasurements(application);
        application.MapGet("/containerLogs/{namespace}/{pod}/{container}", (RequestDelegate)(context =>
            logs.HandleAsync(context, Part(context, "namespace"), Part(context, "pod"), Part(context, "container"))));
        MapCommand(application, "exec", [HttpMethods.Get, HttpMethods.Post], commands.ExecAsync);
        MapCommand(application, "attach", [HttpMethods.Get, HttpMethods.Post], commands.AttachAsync);
        MapCommand(application, "run", [HttpMethods.Post], commands.RunAsync);
        foreach (var pattern in (string[])["/portForward/{namespace}/{pod}", "/portForward/{namespace}/{pod}/{uid}"])
        {
            application.MapMethods(pattern, [HttpMethods.Get, HttpMethods.Post], context =>
                ports.HandleAsync(context, Part(context, "namespace"), Part(context, "pod"), context.Request.RouteValues["uid"] as string));
        }
    }

    private static void MapCommand(
        WebApplication application, string name, string[] methods, Func<HttpContext, string, string, string?, string, Task> handle)
    {
        foreach (var pattern in (string[])[$"/{name}/{{namespace}}/{{pod}}/{{container}}", $"/{name}/{{namespace}}/{{pod}}/{{uid}}/{{container}}"])
        {
            application.MapMethods(pattern, methods, context => handle(
                context,
                Part(context, "namespace"),
                Part(context, "pod"),
                context.Request.RouteValues["uid"] as string,
                Part(context, "container")));
        }
    }

    private static string Part(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;
}
