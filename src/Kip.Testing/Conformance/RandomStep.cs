using Kip.Drivers;

namespace Kip.Testing;

/// <summary>What one step of a random sequence does.</summary>
internal enum RandomAction
{
    /// <summary>Launches a new instance.</summary>
    Launch = 0,

    /// <summary>Repeats a launch with its token.</summary>
    Repeat,

    /// <summary>Cancels a launch on its way, then repeats it with its token.</summary>
    CutOff,

    /// <summary>Terminates some, which may have ended before.</summary>
    Terminate,

    /// <summary>Compares the list with the model.</summary>
    List,

    /// <summary>A process begins anew: it knows nothing but the cloud.</summary>
    Restart,

    /// <summary>Another controller launches an instance; at most one.</summary>
    LaunchOther,

    /// <summary>Wants to terminate the other controller's instance.</summary>
    TerminateOther,
}

/// <summary>
/// One step of a random sequence. It means something whatever steps came before it, or nothing: so a sequence stays one when any of its
/// steps are left out.
/// </summary>
/// <param name="Action">What it does.</param>
/// <param name="Process">Which of the controller's processes does it.</param>
/// <param name="Number">Which instance, or how long; read by the action.</param>
internal sealed record RandomStep(RandomAction Action, int Process, int Number)
{
    private static readonly CloudFault[] Faults = [CloudFault.LostAnswer, new(DriverErrorKind.Transient), new(DriverErrorKind.Throttled)];

    private static readonly RandomAction[] Weighted =
    [
        .. Enumerable.Repeat(RandomAction.Launch, 6),
        .. Enumerable.Repeat(RandomAction.Repeat, 4),
        .. Enumerable.Repeat(RandomAction.Terminate, 4),
        .. Enumerable.Repeat(RandomAction.List, 3),
        .. Enumerable.Repeat(RandomAction.CutOff, 2),
        RandomAction.Restart,
        RandomAction.LaunchOther,
        RandomAction.TerminateOther,
    ];

    /// <summary>Which instances a <see cref="RandomAction.Terminate"/> is about besides <see cref="Number"/>.</summary>
    public IReadOnlyList<int> Others { get; init; } = [];

    /// <summary>Whether a <see cref="RandomAction.Terminate"/> names, before the others, one that never was.</summary>
    public bool NamesUnknown { get; init; }

    /// <summary>How its first call goes wrong; null when it does not.</summary>
    public CloudFault? Fault { get; init; }

    /// <summary>The call that goes wrong.</summary>
    public CloudAction? Call => Action switch
    {
        RandomAction.Launch or RandomAction.Repeat => CloudAction.Launch,
        RandomAction.Terminate => CloudAction.Terminate,
        RandomAction.List => CloudAction.List,
        _ => null,
    };

    /// <summary>A sequence as a seed has it.</summary>
    public static List<RandomStep> Generate(int seed, int count, int processes)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var step = new RandomStep(Weighted[random.Next(Weighted.Length)], random.Next(processes), random.Next(1000))
            {
                Fault = random.Next(6) == 0 ? Faults[random.Next(Faults.Length)] : null,
            };
            return step.Action == RandomAction.Terminate
                ? step with { Others = [.. Enumerable.Range(0, random.Next(3)).Select(_ => random.Next(1000))], NamesUnknown = random.Next(4) == 0 }
                : step;
        })];
    }

    /// <summary>Steps that do a part of what this one does.</summary>
    public IEnumerable<RandomStep> Simpler()
    {
        for (var i = 0; i < Others.Count; i++)
        {
            yield return this with { Others = [.. Others.Where((_, at) => at != i)] };
        }

        if (Action == RandomAction.CutOff)
        {
            yield return this with { Action = RandomAction.Launch, Fault = null };
        }

        if (Fault is not null)
        {
            yield return this with { Fault = null };
        }

        if (NamesUnknown)
        {
            yield return this with { NamesUnknown = false };
        }

        if (Process != 0)
        {
            yield return this with { Process = 0 };
        }
    }
}
