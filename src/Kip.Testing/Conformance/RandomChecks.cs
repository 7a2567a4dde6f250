using System.Globalization;
using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>Random launches, repetitions, terminations and lists, compared with a model.</summary>
internal static class RandomChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Random_SequenceOfCalls_AgreesWithTheModel", "Whatever the order of calls, the cloud holds what a simple model says.", RunAsync),
    ];

    private static async Task RunAsync(CheckContext context)
    {
        var seed = context.Options.Seed ?? Random.Shared.Next();
        var model = new Model(context, new Random(seed));
        for (var step = 1; step <= context.Options.RandomSteps + 1; step++)
        {
            try
            {
                await (step <= context.Options.RandomSteps ? model.StepAsync() : model.EndAsync());
            }
            catch (DriverConformanceException error)
            {
                var message = string.Create(CultureInfo.InvariantCulture, $"in step {step} of the random sequence with seed {seed} ({model.LastStep}): ");
                throw new DriverConformanceException(error.Rule, message, error.Message, error);
            }
        }
    }

    private sealed class Model(CheckContext context, Random random)
    {
        private readonly ICellDriver[] _drivers = [context.MakeDriver(), context.MakeDriver()];
        private readonly List<(LaunchRequest Request, string Id)> _alive = [];
        private readonly List<(LaunchRequest Request, string Id)> _ended = [];
        private readonly StateHistory _history = new();

        public string LastStep { get; private set; } = "";

        private ICellDriver Driver => _drivers[random.Next(_drivers.Length)];

        public Task StepAsync() => random.Next(10) switch
        {
            < 4 when _alive.Count < context.Options.RandomInstances => LaunchAsync(),
            < 6 when _alive.Count + _ended.Count > 0 => RelaunchAsync(),
            < 8 when _alive.Count > 0 => TerminateAsync(),
            _ => ListAsync(),
        };

        public async Task EndAsync()
        {
            LastStep = "the end";
            await ListAsync();
            await context.WaitUntilEndedAsync(Driver, [.. _ended.Select(known => known.Id)]);
        }

        private async Task LaunchAsync()
        {
            LastStep = "launch";
            var request = await context.MakeRequestAsync(Driver);
            var instance = await context.LaunchAsync(Driver, request);
            Check(
                _alive.Concat(_ended).All(known => known.Id != instance.Id), Rules.LaunchOne, "an instance that was not there before", () => Describe(instance));
            _alive.Add((request, instance.Id));
            _history.Add(instance);
        }

        private async Task RelaunchAsync()
        {
            var all = _alive.Concat(_ended).ToList();
            var (request, id) = all[random.Next(all.Count)];
            LastStep = $"repeat the launch of {id}";
            var instance = await context.LaunchAsync(Driver, request);
            Check(instance.Id == id, Rules.Token, id, () => Describe(instance));
            _history.Add(instance);
        }

        private async Task TerminateAsync()
        {
            var ending = _alive.Where(_ => random.Next(3) == 0).ToList();
            var repeated = _ended.Where(_ => random.Next(4) == 0).ToList();
            LastStep = $"terminate {string.Join(", ", ending.Concat(repeated).Select(known => known.Id))}";
            await context.TerminateAsync(Driver, [.. ending.Concat(repeated).Select(known => known.Id)]);
            _alive.RemoveAll(ending.Contains);
            _ended.AddRange(ending);
        }

        private async Task ListAsync()
        {
            LastStep = LastStep == "the end" ? LastStep : "list";
            var driver = Driver;
            IReadOnlyList<Instance> list = [];
            await context.UntilAsync(
                async () =>
                {
                    list = await context.ListAsync(driver);
                    foreach (var (_, id) in _alive.Concat(_ended))
                    {
                        _history.Add(id, list.FirstOrDefault(instance => instance.Id == id));
                    }

                    return _alive.TrueForAll(known => list.Any(instance => instance.Id == known.Id))
                        && !_ended.Exists(known => list.Any(instance => instance.Id == known.Id && instance.State < InstanceState.Terminating));
                },
                Rules.ListComplete,
                $"alive: {string.Join(", ", _alive.Select(known => known.Id))}; ending or gone: {string.Join(", ", _ended.Select(known => known.Id))}",
                () => string.Join("; ", list.Select(Describe)));

            foreach (var instance in list)
            {
                var isAlive = _alive.Exists(known => known.Id == instance.Id);
                Check(isAlive || _ended.Exists(known => known.Id == instance.Id), Rules.LaunchOne, "only what was launched", () => Describe(instance));
                Check(!isAlive || instance.State < InstanceState.Terminating, Rules.Terminate, $"{instance.Id}, which was not terminated, lives", () => Describe(instance));
            }

            foreach (var (request, id) in _alive)
            {
                LaunchChecks.CheckAsAskedFor(list.First(instance => instance.Id == id), request);
            }
        }
    }
}
