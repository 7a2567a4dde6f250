using System.Text;
using Kip.Agent.Tests.Support;
using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Sessions;

/// <summary>A pod that runs, for tests that do not end it. Its first process repeats every line that it is given.</summary>
public sealed class RunningPod : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private CellWorld? _world;
    private ICellAgent? _agent;

    internal CellWorld World => _world!;

    internal ICellAgent Agent => _agent!;

    public async Task InitializeAsync()
    {
        if (new ContainerdFactAttribute().Skip is not null)
        {
            return;
        }

        _world = await CellWorld.StartAsync();
        var pod = CellWorld.Pod("while read -r line; do echo \"got $line\"; done; sleep 100000");
        pod.Spec.Containers[0].Stdin = true;
        pod.Spec.Containers.Add(new Container { Name = "done", Image = TestImages.Busybox, Command = ["true"] });
        using var client = _world.Connect();
        await client.Apply(_world.Request(pod));
        await _world.WaitForAsync(
            client, "one container to run and one to have ended",
            status => status.ContainerStatuses is [{ Ready: true }, { State.Terminated: not null }]);
        _agent = await _world.ConnectControllerAsync();
    }

    public async Task DisposeAsync()
    {
        if (_agent is not null)
        {
            await _agent.DisposeAsync();
        }

        if (_world is not null)
        {
            await _world.DisposeAsync();
        }
    }

    internal Task<IContainerSession> ExecAsync(string script, bool stdin = false, bool tty = false) => Agent.ExecAsync(
        CellWorld.PodUid,
        new ExecRequest { Container = "main", Command = ["sh", "-c", script], Stdin = stdin, Tty = tty },
        CancellationToken.None);

    /// <summary>Runs a command to its end and returns what it wrote and its exit code.</summary>
    internal async Task<(string Output, string Error, int ExitCode)> RunAsync(string script)
    {
        await using var session = await ExecAsync(script);
        return await ReadAsync(session);
    }

    internal static async Task<(string Output, string Error, int ExitCode)> ReadAsync(IContainerSession session)
    {
        var (output, error) = (new StringBuilder(), new StringBuilder());
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        await foreach (var piece in session.ReadOutputAsync(patience.Token))
        {
            (piece.IsError ? error : output).Append(Encoding.UTF8.GetString(piece.Data.Span));
        }

        return (output.ToString(), error.ToString(), await session.ExitCode);
    }

    /// <summary>Reads until the output ends with a text.</summary>
    internal static async Task<string> ReadUntilAsync(IAsyncEnumerator<SessionOutput> output, string end)
    {
        var text = new StringBuilder();
        while (!text.ToString().Contains(end, StringComparison.Ordinal))
        {
            Assert.True(await output.MoveNextAsync(), $"the output ended before '{end}': {text}");
            text.Append(Encoding.UTF8.GetString(output.Current.Data.Span));
        }

        return text.ToString();
    }
}
