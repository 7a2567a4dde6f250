using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Kip.Agents;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Server;

namespace Kip.VirtualKubelet.Tests;

/// <summary>Pods without cells: a command is a process of this machine, a port is one of its loopback address.</summary>
internal sealed class ProcessPodHost : IPodHost
{
    private readonly ConcurrentDictionary<(string, string), Pod> _pods = new();

    /// <summary>What the log of every container holds.</summary>
    public List<LogEntry> Log { get; } = [];

    /// <summary>Comes after <see cref="Log"/> for those who follow.</summary>
    public Channel<LogEntry> Following { get; } = Channel.CreateUnbounded<LogEntry>();

    /// <summary>What was asked of the last log.</summary>
    public LogQuery? LastQuery { get; private set; }

    /// <summary>What every call that goes to a cell fails with.</summary>
    public AgentException? Failure { get; set; }

    /// <summary>Replaces the process of an exec.</summary>
    public Func<ExecRequest, IContainerSession>? OnExec { get; set; }

    public ConcurrentBag<ProcessSession> Sessions { get; } = [];

    public ConcurrentBag<Socket> Ports { get; } = [];

    public Pod Add(string name, string uid, params string[] containers)
    {
        var pod = new Pod
        {
            Metadata = new() { Namespace = "default", Name = name, Uid = uid },
            Spec = new() { Containers = [.. containers.Select(container => new Container { Name = container, Image = "image" })] },
            Status = new()
            {
                Phase = "Running",
                ContainerStatuses =
                [
                    .. containers.Select(container => new ContainerStatus
                    {
                        Name = container, ContainerID = "containerd://" + container, State = new() { Running = new() },
                    }),
                ],
            },
        };
        _pods[("default", name)] = pod;
        return pod;
    }

    public IReadOnlyCollection<Pod> ListPods() => [.. _pods.Values];

    public Pod? FindPod(string @namespace, string name) => _pods.GetValueOrDefault((@namespace, name));

    public async IAsyncEnumerable<LogEntry> ReadLogsAsync(
        string podUid, LogQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        LastQuery = query;
        await Task.Yield();
        if (Failure is { } failure)
        {
            throw failure;
        }

        foreach (var entry in Log)
        {
            yield return entry;
        }

        if (query.Follow)
        {
            await foreach (var entry in Following.Reader.ReadAllAsync(cancellationToken))
            {
                yield return entry;
            }
        }
    }

    public Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken)
    {
        if (Failure is { } failure)
        {
            throw failure;
        }

        if (OnExec is not null)
        {
            return Task.FromResult(OnExec(request));
        }

        var session = new ProcessSession(request.Command, request.Stdin);
        Sessions.Add(session);
        return Task.FromResult<IContainerSession>(session);
    }

    public Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken)
    {
        var session = new ProcessSession(["sh", "-c", "echo attached; cat"], request.Stdin);
        Sessions.Add(session);
        return Task.FromResult<IContainerSession>(session);
    }

    public async Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync("127.0.0.1", port, cancellationToken);
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw new AgentException(AgentErrorKind.Refused, $"nothing listens on port {port}: {error.Message}");
        }

        Ports.Add(socket);
        return new SocketPort(socket);
    }

    public Task<PodStatistics?> GetStatisticsAsync(string podUid, CancellationToken cancellationToken)
    {
        if (Failure is { } failure)
        {
            throw failure;
        }

        var time = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
        var cpu = new CpuStatistics(time, 250_000_000, 12_500_000_000);
        var memory = new MemoryStatistics(time, 1000, 2000, 500, 7000, 3, 1);
        return Task.FromResult<PodStatistics?>(new()
        {
            PodUid = podUid,
            Cpu = cpu,
            Memory = memory,
            Network = new(time, [new("eth0", 11, 0, 22, 1)]),
            EphemeralStorage = new(time, 5, 100, 95, 1, 10, 9),
            ProcessCount = 4,
            Containers = [new() { Name = "main", StartTime = time, Cpu = cpu, Memory = memory }],
            Cell = new(),
        });
    }

    public static LogEntry Line(string text, bool isError = false, int seconds = 0) =>
        new(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000 + seconds), isError, Encoding.UTF8.GetBytes(text));

    private sealed class SocketPort(Socket socket) : IPortConnection
    {
        public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            try
            {
                return await socket.ReceiveAsync(buffer, cancellationToken);
            }
            catch (SocketException error)
            {
                throw new AgentException(AgentErrorKind.Failed, error.Message, error);
            }
        }

        public async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
        {
            try
            {
                while (!data.IsEmpty)
                {
                    data = data[await socket.SendAsync(data, cancellationToken)..];
                }
            }
            catch (SocketException error)
            {
                throw new AgentException(AgentErrorKind.Failed, error.Message, error);
            }
        }

        public ValueTask CloseWriteAsync(CancellationToken cancellationToken)
        {
            socket.Shutdown(SocketShutdown.Send);
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync()
        {
            socket.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
