using System.Diagnostics;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>A controller of one's own, samples/spool: pods from a folder, and a restart that nobody notices.</summary>
public sealed class SpoolSampleTests : KipStory
{
    [KipFact]
    public async Task Spool_KilledWhileAPodRuns_TheNextOneTakesItUpAndTellsHowItEnded()
    {
        File.WriteAllText(FileOf("quick.yaml"), Shell("echo done"));
        File.WriteAllText(FileOf("slow.yaml"), Shell("echo begun; sleep 10; exit 3"));
        File.WriteAllText(FileOf("bad.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {}\n");

        var first = Start();
        await first.PrintsAsync("quick: Succeeded");
        await Wait.UntilAsync("the slow pod's log", () => File.Exists(FileOf("slow.log")) && File.ReadAllText(FileOf("slow.log")) == "begun\n");
        await first.SignalAsync("KILL");
        await first.EndsAsync();
        Assert.False(File.Exists(FileOf("slow.end")));

        var second = Start();
        await second.PrintsAsync("slow: Failed");
        Assert.DoesNotContain("quick", second.Output, StringComparison.Ordinal);
        await second.SignalAsync("TERM");
        await second.EndsAsync();

        Assert.Equal("done\n", File.ReadAllText(FileOf("quick.log")));
        Assert.Equal("begun\n", File.ReadAllText(FileOf("slow.log"))); // once: it was not started anew
        Assert.EndsWith("main: 3\n", File.ReadAllText(FileOf("slow.end")), StringComparison.Ordinal);
        Assert.Equal("Refused spec.containers: Required value\n", File.ReadAllText(FileOf("bad.end")));
    }

    public override async Task DisposeAsync()
    {
        foreach (var cell in Kip.ProcessesOf("cell-init"))
        {
            await Tool.SignalAsync("KILL", cell); // there are some only where the test has failed: kip itself leaves others' cells alone
        }

        await base.DisposeAsync();
    }

    private KipProcess Start()
    {
        var program = Directory.GetFiles(Path.Combine(Repository.Root, "artifacts", "bin", "Kip.Samples.Spool"), "spool", SearchOption.AllDirectories)[0];
        return Kip.Start(new ProcessStartInfo(
            "env",
            [
                "--default-signal", program, Kip.Folder, "--agent", BuiltKip.Agent, "--bridge", Kip.Bridge, "--cidr", Kip.Cidr,
                .. BuiltKip.ImageArchives.SelectMany(static a => new[] { "--image", a }),
            ]));
    }

    private string FileOf(string name) => Path.Combine(Kip.Folder, name);
}
