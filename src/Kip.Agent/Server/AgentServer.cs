using System.Net;
using System.Net.Sockets;
using Kip.Agent.CommandLine;
using Kip.Agent.Enrolment;
using Kip.Grpc.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Server;

/// <summary>Kestrel with HTTP/2 over mutual TLS and nothing else.</summary>
internal static class AgentServer
{
    /// <summary>Of ApplyPod, which carries the contents of volumes; agent.proto says it too.</summary>
    private const int MaximumRequestBytes = 64 << 20;
    private const int StreamWindow = 768 << 10;

    /// <summary>
    /// Opens the port before there is a server: a controller that dials now waits for its answer, which is over sooner than being
    /// refused and dialling again.
    /// </summary>
    /// <exception cref="IOException">The port is taken, or the address is not this machine's.</exception>
    public static Socket Listen(AgentOptions options, UserData userData)
    {
        var address = options.Listen ?? (Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any);
        var endpoint = new IPEndPoint(address, userData.Port);
        try
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.Listen();
            return socket;
        }
        catch (SocketException e)
        {
            throw new IOException($"cannot listen on {endpoint}: {e.Message}", e);
        }
    }

    public static WebApplication Build(Socket socket, Func<ClientCertificates> clients, ILoggerProvider logging)
    {
        // Empty: no configuration files, no environment variables, no middleware; that is a third of the start-up time.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(logging).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(new GrpcServerOptions { MaxReceiveMessageSize = MaximumRequestBytes });
        builder.Services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = _ => socket);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ConfigureForGrpc();
            // As many streams as a connection may have can stall, each for itself, and none holds up the others.
            kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindow;
            kestrel.Limits.Http2.InitialConnectionWindowSize = StreamWindow * (kestrel.Limits.Http2.MaxStreamsPerConnection + 1);
            kestrel.Listen(socket.LocalEndPoint!, Configure);
        });
        var application = builder.Build();
        application.UseRouting();
        return application;

        void Configure(ListenOptions listen)
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => ValueTask.FromResult(clients().Handshake()),
            });
            listen.UseWholeTlsRecords();
        }
    }
}
