using System.Globalization;

namespace Kip.Testing;

/// <summary>
/// Random launches, repetitions, terminations, lists, restarts and faults, compared with a model. A sequence that fails is run again and
/// again without some of its steps, until none can be left out.
/// </summary>
internal static class RandomChecks
{
    private const int TriesInVirtualTime = 300;

    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Random_SequenceOfCalls_AgreesWithTheModel", "Whatever the order of calls and faults, the cloud holds what a simple model says.", RunAsync),
    ];

    private static async Task RunAsync(CheckContext context)
    {
        var seed = context.Options.Seed ?? Random.Shared.Next();
        var steps = RandomStep.Generate(seed, context.Options.RandomSteps, RandomModel.Processes);
        var search = new Search(context);
        if (await search.TryAsync(steps) is not { } failure)
        {
            return;
        }

        var step = failure.Story.Count;
        failure = await search.ShrinkAsync(failure);
        var story = string.Join("\n", failure.Story.Select(static (line, at) => string.Create(CultureInfo.InvariantCulture, $"  {at + 1}. {line}")));
        throw new DriverConformanceException(
            failure.Error.Rule,
            failure.Error.Expected,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{failure.Error.Found}\nin step {step} of the random sequence with seed {seed}; of it this is enough to fail ({search.Tries} tries):\n{story}"),
            failure.Error);
    }

    /// <summary>A sequence that fails.</summary>
    /// <param name="Steps">The steps to the failure.</param>
    /// <param name="Story">What they did, in words.</param>
    /// <param name="Error">How it failed.</param>
    private sealed record Failure(IReadOnlyList<RandomStep> Steps, IReadOnlyList<string> Story, DriverConformanceException Error);

    private sealed class Search(CheckContext context)
    {
        private readonly int _mostTries = context.Options.ShrinkTries ?? (context.Clock == TimeProvider.System ? 0 : TriesInVirtualTime);

        public int Tries { get; private set; }

        /// <summary>Runs a sequence; null when it agrees with the model.</summary>
        public async Task<Failure?> TryAsync(IReadOnlyList<RandomStep> steps)
        {
            var model = new RandomModel(context, Tries++);
            var done = 0;
            try
            {
                foreach (var step in steps)
                {
                    done++;
                    await model.StepAsync(step);
                }

                await model.EndAsync();
                return null;
            }
            catch (DriverConformanceException error)
            {
                return new Failure([.. steps.Take(done)], [.. model.Story], error);
            }
            finally
            {
                await model.CleanUpAsync();
            }
        }

        /// <summary>The shortest sequence found that breaks the same rule.</summary>
        public async Task<Failure> ShrinkAsync(Failure failure)
        {
            Failure before;
            do
            {
                before = failure;
                for (var size = failure.Steps.Count; size >= 1; size /= 2)
                {
                    failure = await LeaveOutAsync(failure, size);
                }

                failure = await SimplifyAsync(failure);
            }
            while (!ReferenceEquals(failure, before));
            return failure;
        }

        /// <summary>Leaves out so many steps in a row wherever that can be, from the end on.</summary>
        private async Task<Failure> LeaveOutAsync(Failure failure, int size)
        {
            for (var end = failure.Steps.Count; end > 0; end = Math.Min(end - size, failure.Steps.Count))
            {
                var first = Math.Max(0, end - size);
                failure = await TryAgainAsync([.. failure.Steps.Take(first), .. failure.Steps.Skip(end)], failure) ?? failure;
            }

            return failure;
        }

        private async Task<Failure> SimplifyAsync(Failure failure)
        {
            for (var at = 0; at < failure.Steps.Count; at++)
            {
                foreach (var simpler in failure.Steps[at].Simpler())
                {
                    failure = await TryAgainAsync([.. failure.Steps.Take(at), simpler, .. failure.Steps.Skip(at + 1)], failure) ?? failure;
                }
            }

            return failure;
        }

        private async Task<Failure?> TryAgainAsync(IReadOnlyList<RandomStep> steps, Failure failure) =>
            steps.Count > 0 && Tries <= _mostTries && await TryAsync(steps) is { } found && found.Error.Rule == failure.Error.Rule ? found : null;
    }
}
