using System.CommandLine;

namespace Kip.Host.Configuration;

/// <summary>The options of commands that look after records, in the state folder or in a cluster.</summary>
internal sealed class ClusterOptions
{
    private readonly Option<string?> _cellStore = new("--cell-store")
    {
        Description = "Where the records are: file for the state folder of this machine, the default; cluster for Cell objects of a cluster",
    };

    private readonly Option<string?> _kubeconfig = new("--kubeconfig") { Description = "With --cell-store cluster: the kubeconfig. Default as kubectl's" };

    public ClusterOptions()
    {
        _cellStore.AcceptOnlyFromAmong("cluster", "file");
        _kubeconfig.Validators.Add(result =>
        {
            if (result.GetValue(_cellStore) != "cluster")
            {
                result.AddError("--kubeconfig goes with --cell-store cluster");
            }
        });
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_cellStore);
        command.Options.Add(_kubeconfig);
    }

    public Values Read(ParseResult parsed) => new(parsed.GetValue(_cellStore) == "cluster", parsed.GetValue(_kubeconfig));

    /// <param name="IsCluster">Whether the records are in a cluster.</param>
    /// <param name="Kubeconfig">The file that names it; null for the usual places.</param>
    internal sealed record Values(bool IsCluster, string? Kubeconfig);
}
