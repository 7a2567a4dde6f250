using System.CommandLine;

namespace Kip.Host.Configuration;

/// <summary>The options of <c>kip node</c>: those that several commands have, and the Go Kip's.</summary>
internal sealed class NodeOptions
{
    private readonly SharedOptions _shared = new();

    private readonly Option<string?> _cellStore = new("--cell-store")
    {
        Description = "Where cell records and keys are kept: cluster for Cell objects and a Secret, file for the state folder. Default as provider.yaml says",
    };

    private readonly Dictionary<GoFlag, Option<string[]>> _flags = GoFlag.All.ToDictionary(static f => f, static f => new Option<string[]>($"--{f.Name}")
    {
        Description = f.Description,
        Hidden = f.Ignored is not null,
        Arity = f.IsBoolean ? ArgumentArity.ZeroOrMore : ArgumentArity.OneOrMore,
    });

    public NodeOptions() => _cellStore.AcceptOnlyFromAmong("cluster", "file");

    public void AddTo(Command command)
    {
        command.Options.Add(_cellStore);
        _shared.AddTo(command);
        foreach (var option in _flags.Values)
        {
            command.Options.Add(option);
        }
    }

    public Values Read(ParseResult parsed) => new(
        _shared.Read(parsed),
        _flags.Where(f => parsed.GetResult(f.Value) is { Implicit: false }).ToDictionary(static f => f.Key.Name, f => parsed.GetValue(f.Value)?.LastOrDefault() ?? "true"))
    {
        CellStore = parsed.GetValue(_cellStore) switch
        {
            "cluster" => CellStorePlace.Cluster,
            "file" => CellStorePlace.File,
            _ => null,
        },
    };

    /// <param name="Shared">The options that several commands have.</param>
    /// <param name="Flags">The Go Kip's flags that are on the command line, by name; of one given twice the last counts.</param>
    internal sealed record Values(SharedOptions.Values Shared, IReadOnlyDictionary<string, string> Flags)
    {
        /// <summary>Null when it is not given.</summary>
        public CellStorePlace? CellStore { get; init; }
    }
}
