namespace Kip.Agent.Probes;

/// <summary>What a probe decides.</summary>
internal enum ProbeKind
{
    /// <summary>Whether the container has come up; until then the others wait.</summary>
    Startup,
    /// <summary>Whether the container may go on; else it is ended, and the restart policy says what follows.</summary>
    Liveness,
    /// <summary>Whether the container counts as ready.</summary>
    Readiness,
}
