using Kip.Agents;
using Kip.Sizing;

namespace Kip.Cells;

/// <summary>How a <see cref="CellManager"/> works.</summary>
public sealed record CellManagerOptions
{
    /// <summary>Whose cells these are: at its start the manager takes up the records of this owner, and no others.</summary>
    public required string Owner { get; init; }

    /// <summary>PEM of the authority that agents are to trust; from <see cref="CertificateAuthority.CertificatePem"/>.</summary>
    public required string ControllerCa { get; init; }

    /// <summary>The cell image, in the driver's terms; empty for its default.</summary>
    public string Image { get; init; } = "";

    /// <summary>How cells reach registries that need more than a name.</summary>
    public IReadOnlyList<RegistryConfiguration> Registries { get; init; } = [];

    /// <summary>For pulling images.</summary>
    public IReadOnlyList<RegistryCredential> Credentials { get; init; } = [];

    /// <summary>
    /// What a cell takes beside its pod: cells are chosen so large that the pod has what it asks for. Default
    /// <see cref="ResourceRequest.CellOverhead"/>.
    /// </summary>
    public ResourceRequest CellOverhead { get; init; } = ResourceRequest.CellOverhead;

    /// <summary>By which rule instance types are chosen.</summary>
    public SizingRule SizingRule { get; init; }

    /// <summary>With <see cref="SizingRule.GoKip"/>, the type of pods that ask for nothing; null for the cheapest there is.</summary>
    public string? DefaultInstanceType { get; init; }

    /// <summary>Bound of one cloud call. Default 1 minute.</summary>
    public TimeSpan CloudCallTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a launch is tried. Default 5 minutes.</summary>
    public TimeSpan LaunchTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// From an accepted launch to an enrolled agent, at most: once ten instances of a type have booted, a boot is given up after three times the
    /// longest of the last hundred, though never before two minutes. Default 10 minutes.
    /// </summary>
    public TimeSpan BootTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long an agent with a pod may be out of reach before the pod counts as lost. Default 5 minutes.</summary>
    public TimeSpan AgentLostTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long those who read logs may take to read the rest when the pod has ended. Default 10 seconds.</summary>
    public TimeSpan LogDrainTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often instances are listed when nothing is waited for. Default 10 seconds.</summary>
    public TimeSpan ObserveInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Called when a pod has ended on its cell, which can still be asked, for its logs for one; the cell is kept for it as for other readers,
    /// within <see cref="LogDrainTimeout"/>. Not called for pods that were lost. Must not throw. Does nothing by default.
    /// </summary>
    public Func<Cell, CancellationToken, Task> AfterPodEnded { get; init; } = static (_, _) => Task.CompletedTask;

    /// <summary>
    /// Called when a cell's instance is gone, before its record is deleted; the deletion waits for it. After a crash it may be called
    /// again. Whoever must not lose how a pod ended sees to it here. Does nothing by default.
    /// </summary>
    public Func<Cell, CancellationToken, Task> BeforeForgotten { get; init; } = static (_, _) => Task.CompletedTask;

    /// <summary>
    /// Waited for before each effect: a change of a record, a launch, a termination, a word to an agent. For processes that take over from
    /// each other: one that may have lost its place holds back what it was about to do. Does nothing by default.
    /// </summary>
    public Func<CancellationToken, ValueTask> BeforeEffect { get; init; } = static _ => ValueTask.CompletedTask;

    /// <summary>Whether instances in no record are terminated; otherwise they are told of in the log, and left alone. Default true.</summary>
    public bool TerminatesOrphans { get; init; } = true;

    /// <summary>
    /// Whether pods that a controller looks after leave an instance that the cloud recommends to leave, as at an interruption notice, though with
    /// all of their grace period. Others, and all by default, only have it told. Default false.
    /// </summary>
    public bool ReplacesAtRebalance { get; init; }

    /// <summary>How long an instance may be in no record before it is terminated. Default 1 minute.</summary>
    public TimeSpan OrphanGracePeriod { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Cells that are kept ready whatever comes; equal ones count once. A pod that fits into one that waits takes it. None by default.</summary>
    public IReadOnlyList<StandbyCells> StandbyCells { get; init; } = [];

    /// <summary>
    /// How many dollars per hour the cells may cost, as long as they wait, that are kept ready because pods of the last half hour would
    /// have taken them. 0, the default, for none of them.
    /// </summary>
    public decimal StandbyBudgetPerHour { get; init; }

    /// <summary>How old a cell may become that no pod takes; it is replaced in time. More than twice <see cref="BootTimeout"/>. Default 24 hours.</summary>
    public TimeSpan StandbyMaxAge { get; init; } = TimeSpan.FromHours(24);
}
