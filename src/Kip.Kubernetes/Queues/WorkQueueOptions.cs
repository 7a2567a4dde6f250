namespace Kip.Kubernetes.Queues;

/// <summary>How a queue spaces attempts that fail.</summary>
public sealed record WorkQueueOptions
{
    /// <summary>Pause after the first failure of a key; doubles with each further one. 200 ms by default.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest pause. 5 minutes by default.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The part of a pause, 0 to 1, by which it is shortened at random so that keys do not come back together. 0.2 by default.</summary>
    public double Jitter { get; init; } = 0.2;

    /// <summary>Whether a failure is one that the work foresaw and told of: it is logged by its message alone, without a stack. None by default.</summary>
    public Func<Exception, bool> IsExpected { get; init; } = static _ => false;
}
