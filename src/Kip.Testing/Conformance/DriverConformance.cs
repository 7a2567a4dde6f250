namespace Kip.Testing;

/// <summary>
/// The definition of a correct <see cref="Kip.Drivers.ICellDriver"/>: a list of checks that can be run one by one from any test framework,
/// or all together.
/// </summary>
public static class DriverConformance
{
    /// <summary>All checks, the cheap ones first.</summary>
    public static IReadOnlyList<DriverCheck> Checks { get; } =
    [
        .. DescriptionChecks.All,
        .. LaunchChecks.All,
        .. TokenChecks.All,
        .. ListChecks.All,
        .. TerminateChecks.All,
        .. CancellationChecks.All,
        .. RandomChecks.All,
    ];

    /// <summary>
    /// The definition of a correct <see cref="Kip.Drivers.IVolumeAttacher"/>, for drivers that are one. They need
    /// <see cref="DriverConformanceOptions.CreateVolume"/>.
    /// </summary>
    public static IReadOnlyList<DriverCheck> VolumeChecks { get; } = [.. Testing.VolumeChecks.All];

    /// <summary>
    /// The definition of a correct <see cref="Kip.Drivers.ICellRouter"/>, for drivers that are one. They need
    /// <see cref="DriverConformanceOptions.FindRoute"/>.
    /// </summary>
    public static IReadOnlyList<DriverCheck> RouteChecks { get; } = [.. Testing.RouteChecks.All];

    private static IEnumerable<DriverCheck> All => [.. Checks, .. VolumeChecks, .. RouteChecks];

    /// <summary>Runs one check by its name.</summary>
    /// <param name="name">Name of the check.</param>
    /// <param name="options">The driver.</param>
    /// <param name="cancellationToken">Ends the check.</param>
    /// <exception cref="DriverConformanceException">The driver breaks the rule.</exception>
    public static Task RunAsync(string name, DriverConformanceOptions options, CancellationToken cancellationToken)
    {
        var check = All.FirstOrDefault(check => check.Name == name)
            ?? throw new ArgumentException($"There is no check {name}.", nameof(name));
        return check.RunAsync(options, cancellationToken);
    }

    /// <summary>Runs all checks, one after the other, except those to skip; of volumes and routes only where there are some. Failures are in the results, not thrown.</summary>
    /// <param name="options">The driver.</param>
    /// <param name="report">Told of each result as it comes; may be null.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    /// <exception cref="ArgumentException">A check to skip does not exist.</exception>
    public static async Task<IReadOnlyList<DriverCheckResult>> RunAllAsync(
        DriverConformanceOptions options, Action<DriverCheckResult>? report, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Skip.Keys.FirstOrDefault(name => !All.Any(check => check.Name == name)) is { } unknown)
        {
            throw new ArgumentException($"There is no check {unknown} to skip.", nameof(options));
        }

        List<DriverCheckResult> results = [];
        foreach (var check in All)
        {
            var result = await RunOneAsync(check, options, cancellationToken);
            results.Add(result);
            report?.Invoke(result);
        }

        return results;
    }

    internal static DriverCheck Make(string name, string description, Func<CheckContext, Task> run) => new(
        name,
        description,
        async (options, cancellationToken) =>
        {
            var context = new CheckContext(options, cancellationToken);
            try
            {
                await run(context);
            }
            catch (Exception finding)
            {
                // Whatever it was: first terminate what was launched.
                if (await context.CleanUpAsync() is not { } error)
                {
                    throw;
                }

                throw finding is DriverConformanceException { Rule: var rule, Expected: var expected, Found: var found }
                    ? new DriverConformanceException(rule, expected, $"{found}\nCleaning up failed too, instances may be left: {error.Message}", finding)
                    : new AggregateException(finding, error);
            }

            if (await context.CleanUpAsync() is { } left)
            {
                throw left;
            }
        });

    private static async Task<DriverCheckResult> RunOneAsync(DriverCheck check, DriverConformanceOptions options, CancellationToken cancellationToken)
    {
        if (options.Skip.TryGetValue(check.Name, out var reason))
        {
            return new DriverCheckResult(check, TimeSpan.Zero, null, reason);
        }

        if (options.CreateVolume is null && VolumeChecks.Contains(check))
        {
            return new DriverCheckResult(check, TimeSpan.Zero, null, $"there are no volumes to attach ({nameof(options.CreateVolume)})");
        }

        if (options.FindRoute is null && RouteChecks.Contains(check))
        {
            return new DriverCheckResult(check, TimeSpan.Zero, null, $"nobody knows what is routed ({nameof(options.FindRoute)})");
        }

        var start = options.TimeProvider.GetTimestamp();
        Exception? failure = null;
        try
        {
            await check.RunAsync(options, cancellationToken);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever a check throws is its result; the others are to run all the same.
            failure = error;
        }

        return new DriverCheckResult(check, options.TimeProvider.GetElapsedTime(start), failure, null);
    }
}
