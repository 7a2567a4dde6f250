using System.Buffers;
using System.Net.Sockets;
using Kip.Agent.Probes.Health;
using Kip.Agent.Runtime;
using Kip.Grpc;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>
/// What probes and lifecycle hooks do to a container, each within a time limit: a command in it, a request or a connection to it. As with the
/// kubelet, requests come from the machine's network; the pod's address is reachable from there.
/// </summary>
internal sealed class ContainerActions(ICriRuntime runtime, TimeProvider time)
{
    /// <summary>What servers see of probes; those that treat them apart look for the beginning.</summary>
    public const string ProbeUserAgent = "kube-probe/1.20+";

    /// <summary>How long the runtime may take beyond the time limit of a command to say that it is over.</summary>
    private static readonly TimeSpan RuntimeSlack = TimeSpan.FromSeconds(15);

    private readonly Method<HealthCheckRequest, HealthCheckResponse> _check =
        Method.Unary("grpc.health.v1.Health", "Check", HealthCheckRequest.Parser, HealthCheckResponse.Parser);

    /// <summary>Runs a command in the container; exit code 0 is success.</summary>
    public async Task<ActionOutcome> ExecAsync(
        string containerId, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await runtime.ExecSyncAsync(containerId, command, timeout, RuntimeSlack, cancellationToken);
            var output = answer.Stdout.Memory;
            var both = output.Length >= ActionOutcome.MaximumOutput || answer.Stderr.IsEmpty
                ? ActionOutcome.Text(new ReadOnlySequence<byte>(output))
                : ActionOutcome.Text(new ReadOnlySequence<byte>((byte[])[.. output.Span, .. answer.Stderr.Span]));
            return answer.ExitCode == 0 ? ActionOutcome.Success(both) : ActionOutcome.Failure(both);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.DeadlineExceeded)
        {
            return ActionOutcome.Failure($"command timed out: \"{string.Join(' ', command)}\" timed out after {timeout.TotalSeconds:0.###}s");
        }
        catch (RpcException e)
        {
            return ActionOutcome.Unknown($"rpc error: code = {e.StatusCode} desc = {e.Status.Detail}");
        }
    }

    /// <summary>Sends a GET request; a status from 200 to 399 is success.</summary>
    public async Task<ActionOutcome> HttpGetAsync(
        HttpGetAction action, ActionTarget target, string userAgent, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (!target.TryFindPort(action.Port, out var port, out var trouble))
        {
            return ActionOutcome.Unknown(trouble);
        }

        if (HttpGet.Address(action, target.Host(action.Host), port) is not { } address)
        {
            return ActionOutcome.Unknown($"cannot make an address of host '{target.Host(action.Host)}' and path '{action.Path}'");
        }

        using var limit = new TimeLimit(timeout, time, cancellationToken);
        try
        {
            return await HttpGet.SendAsync(address, action.HttpHeaders ?? [], userAgent, limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            return ActionOutcome.Failure(
                $"Get \"{address}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
        }
    }

    /// <summary>Opens a connection; that it is accepted is success.</summary>
    public async Task<ActionOutcome> TcpConnectAsync(
        TcpSocketAction action, ActionTarget target, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (!target.TryFindPort(action.Port, out var port, out var trouble))
        {
            return ActionOutcome.Unknown(trouble);
        }

        var host = target.Host(action.Host);
        using var limit = new TimeLimit(timeout, time, cancellationToken);
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(host, port, limit.Token);
            return ActionOutcome.Success();
        }
        catch (SocketException e)
        {
            return ActionOutcome.Failure($"dial tcp {ActionTarget.HostPort(host, port)}: {ActionTarget.Explain(e)}");
        }
        catch (OperationCanceledException) when (limit.IsOver)
        {
            return ActionOutcome.Failure($"dial tcp {ActionTarget.HostPort(host, port)}: i/o timeout");
        }
    }

    /// <summary>Asks a gRPC server for its health; that it serves is success.</summary>
    public async Task<ActionOutcome> GrpcHealthAsync(
        GrpcAction action, ActionTarget target, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var address = ActionTarget.HostPort(target.PodAddress, action.Port);
        var options = new GrpcChannelOptions { ConnectTimeout = timeout, TimeProvider = time };
        using var channel = GrpcChannel.ForAddress($"http://{address}", options);
        try
        {
            var request = new HealthCheckRequest { Service = action.Service ?? "" };
            var answer = await channel.UnaryAsync(_check, request, new CallOptions(timeout), cancellationToken);
            return answer.Status == HealthCheckResponse.Types.ServingStatus.Serving
                ? ActionOutcome.Success()
                : ActionOutcome.Failure($"service unhealthy (responded with \"{Word(answer.Status)}\")");
        }
        catch (RpcException e)
        {
            return ActionOutcome.Failure(e.StatusCode switch
            {
                StatusCode.Unimplemented =>
                    $"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {e.Status.Detail}",
                StatusCode.DeadlineExceeded => $"timeout: health rpc did not complete within {timeout.TotalSeconds:0.###}s",
                StatusCode.Unavailable => $"error: failed to connect service at \"{address}\": {e.Status.Detail}",
                _ => $"error: health rpc probe failed: rpc error: code = {e.StatusCode} desc = {e.Status.Detail}",
            });
        }
    }

    /// <summary>As the protocol spells it.</summary>
    private static string Word(HealthCheckResponse.Types.ServingStatus status) => status switch
    {
        HealthCheckResponse.Types.ServingStatus.Unknown => "UNKNOWN",
        HealthCheckResponse.Types.ServingStatus.NotServing => "NOT_SERVING",
        HealthCheckResponse.Types.ServingStatus.ServiceUnknown => "SERVICE_UNKNOWN",
        _ => status.ToString(),
    };

    /// <summary>The caller's token, and the end of the time that an action may take.</summary>
    private sealed class TimeLimit : IDisposable
    {
        private readonly CancellationTokenSource timer;
        private readonly CancellationTokenSource _either;
        private readonly CancellationToken _caller;

        public TimeLimit(TimeSpan timeout, TimeProvider time, CancellationToken caller)
        {
            _caller = caller;
            timer = new CancellationTokenSource(timeout, time);
            _either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, caller);
        }

        public CancellationToken Token => _either.Token;

        /// <summary>The time is over, and the caller still wants to know.</summary>
        public bool IsOver => timer.IsCancellationRequested && !_caller.IsCancellationRequested;

        public void Dispose()
        {
            _either.Dispose();
            timer.Dispose();
        }
    }
}
