using System.Globalization;
using Kip.Cells;

namespace Kip.Host.Terminal;

/// <summary>Turns what happens to a cell into lines: step, how long it took, how long since the start, what it is.</summary>
internal sealed class Timeline
{
    private readonly Screen _screen;
    private readonly DateTimeOffset _start;
    private DateTimeOffset _last;
    private bool _launched;
    private string? _lastWarning;

    public Timeline(Screen screen, DateTimeOffset start) => (_screen, _start, _last) = (screen, start, start);

    public void Show(CellUpdate update)
    {
        var cell = update.Cell;
        switch (update.Kind)
        {
            case CellUpdateKind.State when cell.State == CellState.Planned:
                Step(update.Time, "planned", $"{cell.Id}: {cell.InstanceType} in {cell.Zone}{Price(cell)}", "launching");
                break;
            case CellUpdateKind.State when cell.State is CellState.Launching or CellState.Booting && !_launched:
                _launched = true;
                Step(update.Time, "launched", $"{cell.InstanceId}{(cell.Address is { } address ? $" at {address}" : "")}", "waiting for the agent");
                break;
            case CellUpdateKind.AgentAnswered:
                Step(update.Time, "agent ready", "", "enrolling");
                break;
            case CellUpdateKind.AgentEnrolled:
                Step(update.Time, "enrolled", "", "making the sandbox");
                break;
            case CellUpdateKind.PodEvent when update.Event is { } happened:
                switch (happened.Reason)
                {
                    case "SandboxReady":
                        Step(update.Time, "sandbox ready", cell.PodAddress is { } pod ? $"pod address {pod}" : "", "getting the image");
                        break;
                    case "Pulling":
                        Step(update.Time, "pulling", happened.Message, "pulling the image");
                        break;
                    case "Pulled":
                        Step(update.Time, "image ready", happened.Message, "starting the container");
                        break;
                    case "Started":
                        Step(update.Time, "container started", happened.Container ?? "", null);
                        break;
                    case "Killing":
                        Step(update.Time, "stopping", happened.Container ?? "", "stopping");
                        break;
                    case var reason when happened.Type == "Warning":
                        Warn($"! {reason}: {happened.Message}");
                        break;
                }

                break;
            case CellUpdateKind.State when cell.State == CellState.Terminating:
                Step(update.Time, "finished", cell.FinalStatus is { } end ? $"{end.Phase}{(end.Reason is { } why ? $" ({why})" : "")}" : "", "terminating the cell");
                break;
            case CellUpdateKind.State when cell.State == CellState.Gone:
                Step(update.Time, "cell terminated", cell.Id, null);
                break;
        }
    }

    // What is tried again and again is said once.
    private void Warn(string line)
    {
        if (line != _lastWarning)
        {
            _lastWarning = line;
            _screen.Say(line);
        }
    }

    private void Step(DateTimeOffset time, string step, string detail, string? next)
    {
        var line = string.Create(
            CultureInfo.InvariantCulture,
            $"{step,-18}{(time - _last).TotalSeconds,8:0.000} s {(time - _start).TotalSeconds,8:0.000} s  {detail}").TrimEnd();
        _last = time;
        _screen.Say(line);
        _screen.SetActivity(next);
    }

    private static string Price(CellRecord cell) =>
        cell.PricePerHour is { } price ? string.Create(CultureInfo.InvariantCulture, $" for ${price:0.######} an hour") : "";
}
