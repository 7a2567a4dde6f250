using System.Net.Sockets;
using System.Runtime.InteropServices;
using Kip.Agent.CommandLine;
using Kip.Agent.Enrolment;
using Kip.Agent.Interruptions;
using Kip.Agent.Logging;
using Kip.Agent.Logs;
using Kip.Agent.Pods;
using Kip.Agent.Probes;
using Kip.Agent.Runtime;
using Kip.Agent.Server;
using Kip.Agent.Sessions;
using Kip.Agent.State;
using Kip.Agent.Statistics;
using Kip.Agent.Status;
using Kip.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Kip.Agent;

/// <summary>Puts the parts together, by hand: there are few and none is replaced.</summary>
internal sealed partial class AgentHost : IAsyncDisposable
{
    private const int MaximumRuntimeMessage = 16 << 20;
    private readonly AgentOptions _options;
    private readonly UserData _userData;
    private readonly TimeProvider _time;
    private readonly StderrLoggerProvider _logging;
    private readonly LoggerFactory _loggers;
    private readonly ILogger _logger;
    private readonly GrpcChannel _channel;
    private readonly AgentIdentity _identity;
    private readonly StatusBoard _board;
    private readonly ImageArchives _archives;
    private readonly RuntimeVersion _version;
    private readonly RuntimeEvents _events;
    private readonly InterruptionWatch _interruptions;
    private readonly PodWorker _worker;
    private readonly ClientCertificates _clients;
    private readonly ContainerSessions _sessions;
    private readonly CellAgentService _service;
    private readonly Socket _socket;
    private readonly Task<WebApplication> _server;

    /// <exception cref="IOException">The port is taken, or the state directory cannot be written.</exception>
    public AgentHost(AgentOptions options, UserData userData, TimeProvider time, TextWriter log)
    {
        (_options, _userData, _time) = (options, userData, time);
        _logging = new StderrLoggerProvider(time, log);
        _loggers = new LoggerFactory([_logging]);
        _logger = _loggers.CreateLogger<AgentHost>();
        _socket = AgentServer.Listen(options, userData);
        // Beside the keys and certificates below: each takes about as long as the other.
        _server = Task.Run(() => AgentServer.Build(_socket, () => _clients!, _logging));
        var state = new StateDirectory(options.StateDirectory);
        _identity = new AgentIdentity(
            userData.CellId, userData.ControllerCa, userData.EnrolmentToken, state, time, _loggers.CreateLogger<AgentIdentity>());
        _board = new StatusBoard(time);
        _channel = GrpcChannel.ForAddress(
            $"unix:{options.RuntimeEndpoint}", new GrpcChannelOptions { MaxReceiveMessageSize = MaximumRuntimeMessage });
        var runtime = new CriRuntime(_channel);
        _version = new RuntimeVersion(runtime, time);
        _events = new RuntimeEvents(_channel, time, _loggers.CreateLogger<RuntimeEvents>());
        _archives = new ImageArchives(
            options.ImageArchives, options.RuntimeEndpoint, runtime, _version.FirstAnswer, time, _loggers.CreateLogger<ImageArchives>());
        _interruptions = new InterruptionWatch(userData.InterruptionNotices, _board, time, _loggers.CreateLogger<InterruptionWatch>());
        var images = new ImagePuller(runtime, _board, _archives.Done, time);
        _worker = new PodWorker(new PodWorkerParts
        {
            Runtime = runtime,
            Network = new PodNetwork(options.CniConfigDirectory, runtime, time, _loggers.CreateLogger<PodNetwork>()),
            Images = images,
            Actions = new ContainerActions(runtime, time),
            State = state,
            Board = _board,
            Cell = new Cell
            {
                LogDirectory = options.LogDirectory,
                VolumeDirectory = options.VolumeDirectory,
                CgroupParent = options.CgroupParent,
                SeccompDirectory = options.SeccompDirectory,
                HostIP = CellAddress.Find(options.Listen),
                MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            },
            Time = time,
            Logger = _loggers.CreateLogger<PodWorker>(),
        });
        _clients = new ClientCertificates(_identity, userData.ControllerCa);
        var targets = new SessionTargets(_board);
        _sessions = new ContainerSessions(targets, runtime);
        _service = new CellAgentService(
            userData,
            _identity,
            _worker,
            images,
            _board,
            new LogReader(_board, time),
            _sessions,
            new PortForwarder(targets, runtime),
            new StatisticsCollector(_board, runtime, options.CgroupParent, time),
            _version,
            time);
    }

    /// <summary>Serves until it is cancelled, or SIGTERM or SIGINT comes. Containers stay as they are.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="serving">Called once connections are accepted.</param>
    public async Task RunAsync(CancellationToken cancellationToken, Action? serving = null)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        RegistryHosts.Write(_options.RegistryConfigDirectory, _userData.Registries);
        var server = await _server;
        _service.Map(server);
        await server.StartAsync(stop.Token);
        Serving(AgentVersion.Text, _userData.CellId, _userData.Port, _identity.IsEnrolled);
        serving?.Invoke();
        Task[] parts =
        [
            _worker.RunAsync(stop.Token),
            _version.RunAsync(_worker.RuntimeCame, stop.Token),
            _events.RunAsync(_worker.ContainerExited, stop.Token),
            _archives.RunAsync(_board, stop.Token),
            _interruptions.RunAsync(stop.Token),
        ];
        await WatchAsync(parts, stop);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1), _time);
        await server.StopAsync(patience.Token);

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await (await _server).DisposeAsync();
        _socket.Dispose();
        _sessions.Dispose();
        _interruptions.Dispose();
        _channel.Dispose();
        _identity.Dispose();
        _loggers.Dispose();
    }

    /// <summary>A part that ends by an error takes the agent with it: whoever started it starts it anew, and it adopts what runs.</summary>
    private static async Task WatchAsync(Task[] parts, CancellationTokenSource stop)
    {
        var running = parts.ToList();
        while (running.Count > 0)
        {
            var ended = await Task.WhenAny(running);
            running.Remove(ended);
            if (ended.IsFaulted)
            {
                await stop.CancelAsync();
                await ended;
            }
        }
    }

    [LoggerMessage(1, LogLevel.Information, "kip-agent {Version} serves cell {CellId} on port {Port} (enrolled: {Enrolled})")]
    private partial void Serving(string version, string cellId, int port, bool enrolled);
}
