using System.Diagnostics.CodeAnalysis;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>What its probes have said of one run of a container, and which of them are under way. Owned by the worker's loop.</summary>
internal sealed class ContainerHealth
{
    private readonly Dictionary<ProbeKind, CancellationTokenSource> _underWay = [];

    private ContainerHealth(string runId) => RunId = runId;

    /// <summary>Of a container that has not run yet.</summary>
    public static ContainerHealth None() => new("");

    /// <summary>Of a new run, or of one that an earlier agent started and told of.</summary>
    /// <param name="runId">The runtime's name of it.</param>
    /// <param name="container">With the probes.</param>
    /// <param name="told">What an earlier agent told of this run last; null when this agent has started it.</param>
    public static ContainerHealth Of(string runId, Container container, ContainerStatus? told)
    {
        var started = container.StartupProbe is null || told?.Started == true;
        return new ContainerHealth(runId) { Started = started, Ready = started && (container.ReadinessProbe is null || told?.Ready == true) };
    }

    /// <summary>The runtime's name of the run.</summary>
    public string RunId { get; }

    /// <summary>It has no startup probe, or that has succeeded.</summary>
    public bool Started { get; private set; }

    /// <summary>It has started, and has no readiness probe or one that succeeds.</summary>
    public bool Ready { get; private set; }

    /// <summary>The probe for which it is to be ended; null when it may go on.</summary>
    public ProbeKind? Failed { get; private set; }

    /// <summary>It was told to end because of that.</summary>
    public bool Condemned { get; set; }

    /// <summary>Takes over what a probe has found.</summary>
    public void Take(ProbeKind kind, bool succeeded, Container container)
    {
        switch (kind)
        {
            case ProbeKind.Startup when succeeded:
                Started = true;
                Ready |= container.ReadinessProbe is null;
                break;
            case ProbeKind.Readiness:
                Ready = Started && succeeded;
                break;
            case ProbeKind.Startup or ProbeKind.Liveness when !succeeded:
                Failed ??= kind;
                break;
        }
    }

    /// <summary>Whether the probe has something to find out at present, and nobody is at it.</summary>
    public bool IsDue(ProbeKind kind) =>
        !_underWay.ContainsKey(kind) && (kind == ProbeKind.Startup ? !Started && Failed is null : Started && (kind == ProbeKind.Readiness || Failed is null));

    /// <summary>Notes that a probe begins; what is returned tells it when to end.</summary>
    [SuppressMessage("Reliability", "CA2000", Justification = "Disposed of by Ended.")]
    public CancellationToken Begins(ProbeKind kind)
    {
        var stop = new CancellationTokenSource();
        _underWay.Add(kind, stop);
        return stop.Token;
    }

    /// <summary>Notes that a probe has ended.</summary>
    public void Ended(ProbeKind kind)
    {
        if (_underWay.Remove(kind, out var stop))
        {
            stop.Dispose();
        }
    }

    /// <summary>Makes these probes end.</summary>
    public void Stop(params ReadOnlySpan<ProbeKind> kinds)
    {
        foreach (var kind in kinds)
        {
            if (_underWay.TryGetValue(kind, out var stop))
            {
                stop.Cancel();
            }
        }
    }
}
