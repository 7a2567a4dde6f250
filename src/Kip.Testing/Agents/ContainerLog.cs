using System.Text;
using Kip.Agents;

namespace Kip.Testing;

/// <summary>The log of all runs of one scripted container.</summary>
internal sealed class ContainerLog(string container)
{
    private readonly Lock _gate = new();
    private readonly List<(int Run, LogEntry Entry)> _entries = [];
    private int _runs;
    private bool _isComplete;

    public void BeginRun()
    {
        lock (_gate)
        {
            _runs++;
        }
    }

    public void Write(string line, DateTimeOffset time)
    {
        lock (_gate)
        {
            _entries.Add((_runs, new LogEntry(time, false, Encoding.UTF8.GetBytes(line + "\n"))));
        }
    }

    public void Complete()
    {
        lock (_gate)
        {
            _isComplete = true;
        }
    }

    /// <summary>What a query is answered with at once, the position to follow on from, and whether nothing more will come.</summary>
    public (IReadOnlyList<LogEntry> Entries, int Position, bool IsComplete) Read(LogQuery query)
    {
        lock (_gate)
        {
            var run = query.Previous ? _runs - 1 : _runs;
            if (run < 1 && !(query.Follow && !query.Previous))
            {
                throw new AgentException(AgentErrorKind.NotFound, $"Container {container} has no {(query.Previous ? "previous " : "")}run.");
            }

            LogEntry[] entries = [.. _entries
                .Where(entry => entry.Run == run && (query.Since is not { } since || entry.Entry.Time >= since))
                .Select(entry => entry.Entry)];
            var tail = (int)Math.Clamp(query.TailLines ?? entries.Length, 0, entries.Length);
            return (entries[^tail..], _entries.Count, _isComplete || query.Previous);
        }
    }

    public (IReadOnlyList<LogEntry> Entries, int Position, bool IsComplete) ReadFrom(int position)
    {
        lock (_gate)
        {
            return ([.. _entries.Skip(position).Select(entry => entry.Entry)], _entries.Count, _isComplete);
        }
    }
}
