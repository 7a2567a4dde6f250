using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>Checks a container's probes and lifecycle handlers; see <see cref="PodValidation"/>.</summary>
internal static class ProbeValidation
{
    private const int MaxPort = 65535;

    public static void Validate(Container container, string field, FieldErrors errors)
    {
        ValidateProbe(container.LivenessProbe, $"{field}.livenessProbe", mustSucceedOnce: true, errors);
        ValidateProbe(container.ReadinessProbe, $"{field}.readinessProbe", mustSucceedOnce: false, errors);
        ValidateProbe(container.StartupProbe, $"{field}.startupProbe", mustSucceedOnce: true, errors);
        ValidateHandler(container.Lifecycle?.PostStart, $"{field}.lifecycle.postStart", errors);
        ValidateHandler(container.Lifecycle?.PreStop, $"{field}.lifecycle.preStop", errors);
    }

    public static void ValidatePort(int port, string field, FieldErrors errors)
    {
        if (port is < 1 or > MaxPort)
        {
            errors.Invalid(field, port, $"must be between 1 and {MaxPort}, inclusive");
        }
    }

    private static void ValidateProbe(Probe? probe, string field, bool mustSucceedOnce, FieldErrors errors)
    {
        if (probe is null)
        {
            return;
        }

        ValidateActions(field, errors, probe.Exec, probe.HttpGet, probe.TcpSocket, probe.Grpc, sleep: null, probe.Unknown?.Count ?? 0);
        errors.AtLeast($"{field}.initialDelaySeconds", probe.InitialDelaySeconds, 0);
        errors.AtLeast($"{field}.timeoutSeconds", probe.TimeoutSeconds, 0);
        errors.AtLeast($"{field}.periodSeconds", probe.PeriodSeconds, 0);
        errors.AtLeast($"{field}.successThreshold", probe.SuccessThreshold, 0);
        errors.AtLeast($"{field}.failureThreshold", probe.FailureThreshold, 0);
        errors.AtLeast($"{field}.terminationGracePeriodSeconds", probe.TerminationGracePeriodSeconds, 1);
        if (mustSucceedOnce && probe.SuccessThreshold > 1)
        {
            errors.Invalid($"{field}.successThreshold", probe.SuccessThreshold.Value, "must be 1");
        }
    }

    private static void ValidateHandler(LifecycleHandler? handler, string field, FieldErrors errors)
    {
        if (handler is not null)
        {
            ValidateActions(
                field, errors, handler.Exec, handler.HttpGet, handler.TcpSocket, grpc: null, handler.Sleep, handler.Unknown?.Count ?? 0);
            errors.AtLeast($"{field}.sleep.seconds", handler.Sleep?.Seconds, 0);
        }
    }

    private static void ValidateActions(
        string field, FieldErrors errors, ExecAction? exec, HttpGetAction? http, TcpSocketAction? tcp, GrpcAction? grpc, SleepAction? sleep, int unknown)
    {
        (string Name, ApiObject? Action)[] actions =
            [("exec", exec), ("httpGet", http), ("tcpSocket", tcp), ("grpc", grpc), ("sleep", sleep)];
        var given = actions.Where(action => action.Action is not null).ToList();
        if (given.Count + unknown == 0)
        {
            errors.Required(field, "must specify a handler type");
        }

        foreach (var (name, _) in given.Skip(1))
        {
            errors.Forbidden($"{field}.{name}", "may not specify more than 1 handler type");
        }

        if (exec is { Command: not { Count: > 0 } })
        {
            errors.Required($"{field}.exec.command");
        }

        if (http is not null)
        {
            ValidatePort(http.Port, $"{field}.httpGet.port", errors);
            errors.OneOf($"{field}.httpGet.scheme", http.Scheme, "HTTP", "HTTPS");
        }

        if (tcp is not null)
        {
            ValidatePort(tcp.Port, $"{field}.tcpSocket.port", errors);
        }

        if (grpc is not null)
        {
            ValidatePort(grpc.Port, $"{field}.grpc.port", errors);
        }
    }

    private static void ValidatePort(IntOrString port, string field, FieldErrors errors)
    {
        if (port.Number is { } number)
        {
            ValidatePort(number, field, errors);
        }
        else if (Names.PortName(port.Name!) is { } problem)
        {
            errors.Invalid(field, port.Name!, problem);
        }
    }
}
