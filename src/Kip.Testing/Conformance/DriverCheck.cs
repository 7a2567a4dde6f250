namespace Kip.Testing;

/// <summary>One rule of <see cref="Kip.Drivers.ICellDriver"/>, as something that can be run against a driver.</summary>
/// <param name="Name">Name, for example <c>Launch_RepeatedToken_ReturnsTheSameInstance</c>.</param>
/// <param name="Description">The rule in one sentence.</param>
/// <param name="RunAsync">
/// Runs it; throws <see cref="DriverConformanceException"/> when the driver breaks the rule. Whatever it launched is terminated before it
/// ends, also when it fails.
/// </param>
public sealed record DriverCheck(string Name, string Description, Func<DriverConformanceOptions, CancellationToken, Task> RunAsync)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A driver breaks a rule of <see cref="Kip.Drivers.ICellDriver"/>. The message says which, what was expected and what was found.</summary>
public sealed class DriverConformanceException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="rule">The rule, quoted from the interface's documentation.</param>
    /// <param name="expected">What the check expected.</param>
    /// <param name="found">What it found.</param>
    /// <param name="innerException">What the driver threw, if it did.</param>
    public DriverConformanceException(string rule, string expected, string found, Exception? innerException = null)
        : base($"Expected: {expected}\nFound: {found}\nRule: {rule}", innerException) =>
        (Rule, Expected, Found) = (rule, expected, found);

    /// <summary>The rule, quoted from the interface's documentation.</summary>
    public string Rule { get; }

    /// <summary>What the check expected.</summary>
    public string Expected { get; }

    /// <summary>What it found.</summary>
    public string Found { get; }
}

/// <summary>How one check ended.</summary>
/// <param name="Check">The check.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Error">What it threw, or null.</param>
/// <param name="SkipReason">Why it was not run, or null.</param>
public sealed record DriverCheckResult(DriverCheck Check, TimeSpan Duration, Exception? Error, string? SkipReason)
{
    /// <summary>Whether the driver keeps the rule; a check that was not run proves nothing.</summary>
    public bool Passed => Error is null && SkipReason is null;

    /// <inheritdoc/>
    public override string ToString() =>
        Error is not null ? $"FAILED  {Check.Name}: {Error.Message}"
        : SkipReason is not null ? $"skipped {Check.Name}: {SkipReason}"
        : $"passed  {Check.Name} ({Duration.TotalSeconds:0.0} s)";
}
