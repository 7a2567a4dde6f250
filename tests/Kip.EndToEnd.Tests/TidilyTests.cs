using System.Globalization;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>What <c>eng/tidily</c> does with what a command leaves behind.</summary>
public sealed class TidilyTests
{
    private static readonly string Tidily = Path.Combine(Repository.Root, "eng", "tidily");

    [KipFact]
    public async Task Cell_OfAHostThatWasKilled_IsEndedAndRemoved()
    {
        using var home = new KipHome();
        // Starts a pod, and kills the host when the pod runs.
        const string script = """
            "$@" --state-dir "$TMPDIR/state" >"$TMPDIR/output" 2>&1 &
            until grep -q "container started" "$TMPDIR/output"; do sleep 0.05; kill -0 $! || { cat "$TMPDIR/output"; exit 1; }; done
            kill -KILL $!
            ls "$TMPDIR"/state/local/cells/*
            """;
        var run = home.Command("run", Path.Combine(Repository.Root, "samples", "pods", "web.yaml"));
        var state = run.ArgumentList.IndexOf("--state-dir");
        run.ArgumentList.RemoveAt(state + 1);
        run.ArgumentList.RemoveAt(state);
        var command = new System.Diagnostics.ProcessStartInfo(Tidily, ["bash", "-c", script, "bash", run.FileName, .. run.ArgumentList]);
        foreach (var (name, value) in run.Environment)
        {
            command.Environment[name] = value;
        }

        var result = await home.Start(command).EndsAsync();

        Assert.True(result.ExitCode == 0, result.ToString());
        var cell = result.OutputLines.Single();
        Assert.Contains(result.ErrorLines, line => line.StartsWith("kip: left behind: cell ", StringComparison.Ordinal) && line.EndsWith(cell, StringComparison.Ordinal));
        Assert.Contains($"kip: left behind: bridge {home.Bridge}", result.ErrorLines);
        Assert.False(Directory.Exists($"/sys/class/net/{home.Bridge}"));
        Assert.DoesNotContain($"table ip {home.Bridge}", await Tool.RunAsync("nft", "list", "tables"), StringComparison.Ordinal);
        Assert.DoesNotContain(cell, await Tool.RunAsync("losetup", "--list", "--noheadings", "--output", "BACK-FILE"), StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories("/sys/fs/cgroup").SelectMany(g => Directory.Exists($"{g}/kip") ? Directory.GetDirectories($"{g}/kip", cell) : []));
    }

    [Fact]
    public async Task Run_ThatWasKilled_IsSweptByTheNext()
    {
        using var folder = new TemporaryFolder();
        var start = new System.Diagnostics.ProcessStartInfo(Tidily, ["bash", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!; exec >/dev/null 2>&1; kill -KILL $PPID; wait"]);
        start.Environment["TMPDIR"] = folder.Path;
        using var killed = new KipProcess(start);
        await killed.PrintsAsync("\n");
        await Wait.UntilAsync("the run is killed", () => killed.HasExited);
        var left = int.Parse(killed.Output, CultureInfo.InvariantCulture);
        Assert.True(Directory.Exists($"/proc/{left}"));
        Assert.Single(Directory.GetDirectories(folder.Path));

        var (exitCode, output) = await Tool.TryAsync("env", $"TMPDIR={folder.Path}", Tidily, "sh", "-c", "exit 3");

        Assert.Equal(3, exitCode);
        Assert.Contains($"left behind: process {left}, sleep 1000", output, StringComparison.Ordinal);
        await Wait.UntilAsync("what it had started is gone", () => !Directory.Exists($"/proc/{left}") || File.ReadAllText($"/proc/{left}/stat").Contains(") Z ", StringComparison.Ordinal));
        Assert.Empty(Directory.GetDirectories(folder.Path));
    }

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("kip-e2e-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
