namespace Kip.Drivers;

/// <summary>
/// How fast the cloud takes calls, as it counts them: token buckets, one for each action. The core keeps within them, so that calls wait
/// here, in a fair order, instead of being refused there. An action without a limit is not held back.
/// </summary>
public sealed record CallLimits
{
    /// <summary>Calls of <see cref="ICellDriver.LaunchAsync"/>.</summary>
    public RateLimit? Launch { get; init; }

    /// <summary>Instances launched, where the cloud counts them besides the calls.</summary>
    public RateLimit? Instances { get; init; }

    /// <summary>Calls of <see cref="ICellDriver.TerminateAsync"/>. With a limit, the core gathers terminations for half a second.</summary>
    public RateLimit? Terminate { get; init; }

    /// <summary>Calls of <see cref="ICellDriver.ListAsync"/>.</summary>
    public RateLimit? List { get; init; }

    /// <summary>Most instances that one call of <see cref="ICellDriver.TerminateAsync"/> is given where there is a limit, at least 1. Default 1,000.</summary>
    public int TerminateAtOnce { get; init; } = 1000;
}

/// <summary>A token bucket.</summary>
/// <param name="PerSecond">Calls per second in the long run, more than 0.</param>
/// <param name="Burst">Calls at once after a rest, at least 1.</param>
public sealed record RateLimit(double PerSecond, int Burst);
