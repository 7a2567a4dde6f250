using System.Globalization;
using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>Does the steps of a random sequence and knows what the cloud must hold after each. It is a controller of its own.</summary>
internal sealed class RandomModel
{
    public const int Processes = 2;

    private readonly CheckContext _context;
    private readonly int _controller;
    private readonly ICellDriver[] _drivers;
    private readonly List<Known> _known = [];
    private readonly StateHistory _history = new();
    private Instance? _other;

    /// <param name="context">The check.</param>
    /// <param name="run">Number of the run; each has controllers of its own.</param>
    public RandomModel(CheckContext context, int run)
    {
        _context = context;
        _controller = (2 * run) + 1;
        _drivers = [.. Enumerable.Range(0, Processes).Select(_ => context.MakeDriver(_controller))];
    }

    /// <summary>What was done, in words; steps that meant nothing are not in it.</summary>
    public List<string> Story { get; } = [];

    private IEnumerable<Known> Alive => _known.Where(static known => !known.IsEnding);

    private ICellDriver OtherDriver => _context.MakeDriver(_controller + 1);

    public async Task StepAsync(RandomStep step)
    {
        if (!IsPossible(step))
        {
            return;
        }

        if (step is { Fault: { } fault, Call: { } call } && _context.Options.FailNext is { } failNext)
        {
            failNext(call, fault);
            Story.Add($"the next {call} is {fault.Kind}{(fault.AfterEffect ? " after it has taken effect" : "")}: ");
        }
        else
        {
            Story.Add("");
        }

        await DoAsync(step);
    }

    /// <summary>What must hold in the end.</summary>
    public async Task EndAsync()
    {
        Story.Add("in the end");
        await ListAsync(_drivers[0]);
        await _context.WaitUntilEndedAsync(_drivers[0], [.. _known.Where(static known => known.IsEnding).Select(static known => known.Id)]);
        if (_other is { Id: var id })
        {
            var now = await _context.WaitForAsync(OtherDriver, id, static _ => true, Rules.ListComplete, "is listed");
            Check(now.State < InstanceState.Terminating, Rules.TerminateForeign, $"{id}, the other controller's, lives on", () => Describe(now));
        }
    }

    /// <summary>Ends what this run launched, as far as it is known; what fails here is left to the end of the check.</summary>
    public async Task CleanUpAsync()
    {
        try
        {
            await _context.TerminateAsync(_drivers[0], [.. Alive.Select(static known => known.Id)]);
            if (_other is { } other)
            {
                await _context.TerminateAsync(OtherDriver, other.Id);
            }
        }
        catch (DriverConformanceException)
        {
            // A driver that fails is why there is something to clean up.
        }
    }

    private bool IsPossible(RandomStep step) => step.Action switch
    {
        RandomAction.Launch or RandomAction.CutOff => Alive.Count() < _context.Options.RandomInstances,
        RandomAction.Repeat or RandomAction.Terminate => _known.Count > 0,
        RandomAction.LaunchOther => _other is null,
        RandomAction.TerminateOther => _other is not null,
        _ => true,
    };

    private Task DoAsync(RandomStep step)
    {
        var driver = _drivers[step.Process];
        switch (step.Action)
        {
            case RandomAction.Launch:
                return LaunchAsync(driver, step);
            case RandomAction.CutOff:
                return CutOffAsync(driver, step);
            case RandomAction.Repeat:
                return RepeatAsync(driver, step);
            case RandomAction.Terminate:
                return TerminateAsync(driver, step);
            case RandomAction.TerminateOther:
                return TerminateOtherAsync(driver, step);
            case RandomAction.LaunchOther:
                return LaunchOtherAsync();
            case RandomAction.Restart:
                Tell($"process {step.Process} begins anew");
                _drivers[step.Process] = _context.MakeDriver(_controller);
                return Task.CompletedTask;
            default:
                Tell($"process {step.Process} lists");
                return ListAsync(driver);
        }
    }

    private async Task LaunchAsync(ICellDriver driver, RandomStep step)
    {
        Tell($"process {step.Process} launches");
        var request = await _context.MakeRequestAsync(driver);
        Add(request, await _context.LaunchAsync(driver, request));
    }

    private async Task CutOffAsync(ICellDriver driver, RandomStep step)
    {
        var after = TimeSpan.FromMilliseconds(step.Number / 4.0);
        Tell(string.Create(CultureInfo.InvariantCulture, $"process {step.Process} launches, cancelled after {after.TotalMilliseconds} ms, and again with the same token"));
        var request = await _context.MakeRequestAsync(driver);
        using (var source = new CancellationTokenSource(after, _context.Clock))
        {
            try
            {
                _context.Note(driver, await driver.LaunchAsync(request, source.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or DriverException && !_context.CancellationToken.IsCancellationRequested)
            {
                // It may have taken effect, or not: the next call finds it, or makes it.
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new DriverConformanceException(Rules.Failures, "a cancelled LaunchAsync throws OperationCanceledException or DriverException", $"{e.GetType().Name}: {e.Message}", e);
            }
        }

        Add(request, await _context.LaunchAsync(driver, request));
    }

    private void Add(LaunchRequest request, Instance instance)
    {
        Check(_known.TrueForAll(known => known.Id != instance.Id), Rules.LaunchOne, "an instance that was not there before", () => Describe(instance));
        Tell($" {instance.Id}");
        _known.Add(new Known(request, instance.Id));
        _history.Add(instance);
    }

    private async Task RepeatAsync(ICellDriver driver, RandomStep step)
    {
        var known = Pick(step.Number);
        Tell($"process {step.Process} repeats the launch of {known.Id}");
        var instance = await _context.LaunchAsync(driver, known.Request);
        Check(instance.Id == known.Id, Rules.Token, known.Id, () => Describe(instance));
        _history.Add(instance);
    }

    private async Task TerminateAsync(ICellDriver driver, RandomStep step)
    {
        List<Known> ending = [Pick(step.Number), .. step.Others.Select(Pick)];
        string[] ids = [.. step.NamesUnknown ? [TerminateChecks.MakeUnknownId(ending[0].Id)] : Array.Empty<string>(), .. ending.Select(static known => known.Id).Distinct()];
        Tell($"process {step.Process} terminates {string.Join(", ", ids)}{(step.NamesUnknown ? ", of which the first never was" : "")}");
        await _context.TerminateAsync(driver, ids);
        ending.ForEach(static known => known.IsEnding = true);
    }

    private async Task LaunchOtherAsync()
    {
        Tell("another controller launches");
        _other = await _context.LaunchAsync(OtherDriver);
        Tell($" {_other.Id}");
    }

    private async Task TerminateOtherAsync(ICellDriver driver, RandomStep step)
    {
        Tell($"process {step.Process} wants to terminate the other controller's {_other!.Id}");
        try
        {
            await _context.TerminateAsync(driver, _other.Id);
        }
        catch (DriverConformanceException refused) when (refused.InnerException is DriverException)
        {
            // Whether that is an error is the driver's choice; the instance must live.
        }
    }

    private async Task ListAsync(ICellDriver driver)
    {
        IReadOnlyList<Instance> list = [];
        await _context.UntilAsync(
            async () =>
            {
                list = await _context.ListAsync(driver);
                foreach (var known in _known)
                {
                    _history.Add(known.Id, list.FirstOrDefault(instance => instance.Id == known.Id));
                }

                return _known.TrueForAll(known => known.IsEnding
                    ? !list.Any(instance => instance.Id == known.Id && instance.State < InstanceState.Terminating)
                    : list.Any(instance => instance.Id == known.Id));
            },
            Rules.ListComplete,
            $"alive: {string.Join(", ", Alive.Select(static known => known.Id))}; ending or gone: {string.Join(", ", _known.Where(static known => known.IsEnding).Select(static known => known.Id))}",
            () => string.Join("; ", list.Select(Describe)));

        foreach (var instance in list)
        {
            var known = _known.Find(known => known.Id == instance.Id);
            Check(
                instance.Tags.GetValueOrDefault(InstanceTags.ControllerId) == driver.Description.ControllerId,
                Rules.ListOwn, "only this controller's instances", () => $"{Describe(instance)} of {instance.Tags.GetValueOrDefault(InstanceTags.ControllerId)}");
            Check(known is not null, Rules.LaunchOne, "only what was launched", () => Describe(instance));
            Check(known!.IsEnding || instance.State < InstanceState.Terminating, Rules.Terminate, $"{instance.Id}, which was not terminated, lives", () => Describe(instance));
        }

        foreach (var known in Alive)
        {
            LaunchChecks.CheckAsAskedFor(list.First(instance => instance.Id == known.Id), known.Request);
        }
    }

    private void Tell(string what) => Story[^1] += what;

    private Known Pick(int number) => _known[number % _known.Count];

    private sealed class Known(LaunchRequest request, string id)
    {
        public LaunchRequest Request { get; } = request;

        public string Id { get; } = id;

        public bool IsEnding { get; set; }
    }
}
