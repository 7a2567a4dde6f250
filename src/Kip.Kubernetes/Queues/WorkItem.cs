namespace Kip.Kubernetes.Queues;

/// <summary>A key to be worked on.</summary>
/// <param name="Key">The key.</param>
/// <param name="Failures">How often in a row the work failed before.</param>
public readonly record struct WorkItem<TKey>(TKey Key, int Failures)
    where TKey : notnull;

/// <summary>Work that failed and will be tried again.</summary>
/// <param name="Key">The key.</param>
/// <param name="Failures">How often in a row the work has failed now, from 1.</param>
/// <param name="Pause">When it is tried again unless the key is added before.</param>
/// <param name="Error">Why it failed.</param>
public sealed record WorkFailure<TKey>(TKey Key, int Failures, TimeSpan Pause, Exception Error)
    where TKey : notnull;
