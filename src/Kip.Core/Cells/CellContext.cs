using Kip.Agents;
using Kip.Pacing;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>What all reconcilers of one manager share.</summary>
internal sealed record CellContext(
    CellManagerOptions Options,
    PacedDriver Driver,
    ICellStore Store,
    ICellAgentConnector Agents,
    InstanceWatcher Watcher,
    RefusalCache Refusals,
    TimeProvider Time,
    Random Random,
    ILogger Logger)
{
    /// <summary>How long boots take.</summary>
    public BootTimes Boots { get; } = new(Options.BootTimeout);

    /// <summary>Logins that the cloud gives for its own registries.</summary>
    public required CloudLogins Logins { get; init; }

    /// <summary>Told of each cell whose agent has said its first word.</summary>
    public Action<CellRecord> Enrolled { get; init; } = static _ => { };
}
