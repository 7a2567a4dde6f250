using System.Text;
using Kip.Agent.Tests.Support;
using Kip.Agents;

namespace Kip.Agent.Tests.Sessions;

/// <summary>Exec and attach, from the controller's interface down to a real containerd.</summary>
public sealed class ContainerSessionsTests(RunningPod pod) : IClassFixture<RunningPod>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [ContainerdFact]
    public async Task Exec_CommandThatFails_GivesBothStreamsAndTheExitCode()
    {
        var ended = await pod.RunAsync("echo out; echo err >&2; exit 3");

        Assert.Equal(("out\n", "err\n", 3), ended);
    }

    [ContainerdFact]
    public async Task Exec_CommandKilledBySignal_ExitsWith128AndTheSignal()
    {
        var ended = await pod.RunAsync("kill -9 $$");

        Assert.Equal(137, ended.ExitCode);
    }

    [ContainerdFact]
    public async Task Exec_InputThatIsClosed_IsReadToItsEndWhileOutputGoesOn()
    {
        await using var session = await pod.ExecAsync("cat; echo end of input; echo more", stdin: true);

        await session.WriteInputAsync("one\n"u8.ToArray(), CancellationToken.None);
        await session.WriteInputAsync("two\n"u8.ToArray(), CancellationToken.None);
        await session.CloseInputAsync(CancellationToken.None);
        await session.CloseInputAsync(CancellationToken.None);

        Assert.Equal(("one\ntwo\nend of input\nmore\n", "", 0), await RunningPod.ReadAsync(session));
        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await session.WriteInputAsync("late"u8.ToArray(), CancellationToken.None));
    }

    [ContainerdFact]
    public async Task Exec_InputForACommandThatHasEnded_GoesNowhere()
    {
        await using var session = await pod.ExecAsync("read -r go; echo enough", stdin: true);
        // No more than a pipe holds: containerd 1.6 does not report the end of a command that left a full pipe behind.
        var input = new byte[32 << 10];
        Array.Fill(input, (byte)'\n');

        await session.WriteInputAsync(input, CancellationToken.None);
        Assert.Equal(("enough\n", "", 0), await RunningPod.ReadAsync(session));
        for (var i = 0; i < 100; i++)
        {
            await session.WriteInputAsync(input, CancellationToken.None).AsTask().WaitAsync(Patience);
        }
    }

    [ContainerdFact]
    public async Task Exec_WithTerminal_HasOneAndItsSizeChanges()
    {
        await using var session = await pod.ExecAsync("test -t 0 && until stty size 2>/dev/null | grep -q '^40 100'; do sleep 0.02; done; echo resized >&2", stdin: true, tty: true);
        await session.ResizeAsync(80, 24, CancellationToken.None);
        await session.ResizeAsync(100, 40, CancellationToken.None);

        Assert.Equal(("resized\r\n", "", 0), await RunningPod.ReadAsync(session));
    }

    [ContainerdFact]
    public async Task Exec_UnknownCommand_SaysSo()
    {
        await using var session = await pod.Agent.ExecAsync(
            CellWorld.PodUid, new ExecRequest { Container = "main", Command = ["no-such-command"] }, CancellationToken.None);

        var e = await Assert.ThrowsAsync<AgentException>(() => RunningPod.ReadAsync(session));

        Assert.Contains("no-such-command", e.Message, StringComparison.Ordinal);
        Assert.Equal(AgentErrorKind.Refused, e.Kind);
        Assert.Same(e, await Assert.ThrowsAsync<AgentException>(() => session.ExitCode));
    }

    [ContainerdTheory]
    [InlineData("another", "main", "the cell does not have pod another")]
    [InlineData(CellWorld.PodUid, "nobody", "the pod has no container 'nobody', only main, done")]
    [InlineData(CellWorld.PodUid, "done", "container done has ended")]
    public async Task Exec_WithoutAContainerThatRuns_IsNotFound(string podUid, string container, string message)
    {
        var e = await Assert.ThrowsAsync<AgentException>(() =>
            pod.Agent.ExecAsync(podUid, new ExecRequest { Container = container, Command = ["true"] }, CancellationToken.None));

        Assert.Equal((AgentErrorKind.NotFound, message), (e.Kind, e.Message));
    }

    [ContainerdFact]
    public async Task Exec_SessionIsDisposedOf_CommandReadsTheEndOfItsInput()
    {
        await using (await pod.ExecAsync("cat >/dev/null; echo gone >/tmp/gone; cat /dev/zero", stdin: true))
        {
        }

        await CellWorld.WaitAsync("the command to notice", async () => (await pod.RunAsync("cat /tmp/gone")).Output == "gone\n");
    }

    [ContainerdFact]
    public async Task Exec_EndlessOutputNobodyReads_HoldsUpNobodyElse_AndTakesNoMemory()
    {
        const int megabytes = 256;
        await pod.RunAsync($"head -c {4 << 20} /dev/zero");
        var before = await AgentMemoryAsync();
        await using var stalled = await pod.ExecAsync("cat /dev/zero");

        await using var session = await pod.ExecAsync($"head -c {megabytes << 20} /dev/zero");
        var count = 0L;
        await foreach (var piece in session.ReadOutputAsync(CancellationToken.None))
        {
            count += piece.Data.Length;
        }

        Assert.Equal(megabytes << 20, count);
        Assert.Equal(0, await session.ExitCode);
        var grown = await AgentMemoryAsync() - before;
        Assert.True(grown < 64 << 10, $"the agent's memory peaked {grown} kB higher");
    }

    [ContainerdFact]
    public async Task Exec_ReadIsCancelled_EndsWithThat()
    {
        await using var session = await pod.ExecAsync("sleep 1000");
        using var cancelled = new CancellationTokenSource();

        var reading = Task.Run(async () =>
        {
            await foreach (var piece in session.ReadOutputAsync(cancelled.Token))
            {
                Assert.Fail($"unexpected output of {piece.Data.Length} bytes");
            }
        });
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    [ContainerdFact]
    public async Task Attach_ToAContainerThatReads_TalksToItsFirstProcess_AndLeavesItRunning()
    {
        var request = new AttachRequest { Container = "main", Stdin = true };
        foreach (var word in (string[])["hello", "again"])
        {
            await using var session = await pod.Agent.AttachAsync(CellWorld.PodUid, request, CancellationToken.None);
            await using var output = session.ReadOutputAsync(CancellationToken.None).GetAsyncEnumerator();

            await session.WriteInputAsync(Encoding.UTF8.GetBytes($"{word}\n"), CancellationToken.None);

            await RunningPod.ReadUntilAsync(output, $"got {word}\n").WaitAsync(Patience);
        }
    }

    /// <summary>The most that the agent has had resident, in kB.</summary>
    private async Task<long> AgentMemoryAsync() =>
        long.Parse((await pod.World.ShellAsync("grep VmHWM /proc/$agent/status")).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], null);
}
