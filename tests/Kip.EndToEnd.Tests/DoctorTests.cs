using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary><c>kip doctor</c> and <c>kip version</c>.</summary>
public sealed class DoctorTests : KipStory
{
    [KipFact]
    public async Task Version_Always_PrintsOneLine()
    {
        var command = Kip.Command();
        command.ArgumentList.Clear();
        command.ArgumentList.Add(BuiltKip.Program);
        command.ArgumentList.Add("version");

        var version = await Kip.Start(command).EndsAsync();

        Assert.Equal((0, ""), (version.ExitCode, version.Errors));
        Assert.Matches(@"^kip \d+\.\d+\.\d+\S* \(\.NET \d+\.\d+\.\d+, linux-\w+\)\n$", version.Output);
    }

    [KipFact]
    public async Task Doctor_EverythingThere_ListsItAndExits0()
    {
        var doctor = await Kip.DoAsync("doctor");

        Assert.True(doctor.ExitCode == 0, doctor.ToString());
        Assert.Equal("This machine can run local cells.", doctor.OutputLines[^1]);
        Assert.All(doctor.OutputLines.SkipLast(1), static l => Assert.StartsWith("ok ", l, StringComparison.Ordinal));
        foreach (var thing in (string[])["root", "containerd", "runc", "CNI plugins", "control groups", "agent", "network"])
        {
            Assert.Single(doctor.OutputLines, l => l["MISSING  ".Length..].StartsWith(thing + "  ", StringComparison.Ordinal));
        }

        Assert.Equal(doctor.OutputLines.Distinct(), doctor.OutputLines);
    }

    [KipFact]
    public async Task Doctor_ThingsMissing_NamesThemTheRemedyAndExits1()
    {
        var command = Kip.Command("doctor", "--image-archive", "/no/such/image.tar");
        command.Environment["KIP_AGENT"] = "/no/such/agent";

        var doctor = await Kip.Start(command).EndsAsync();

        Assert.True(doctor.ExitCode == 1, doctor.ToString());
        Assert.Matches(@"(?m)^MISSING  agent +.*/no/such/agent.*\n +-> \S", doctor.Output);
        Assert.Matches(@"(?m)^MISSING  image archive +.*/no/such/image\.tar.*\n +-> \S", doctor.Output);
        Assert.Matches(@"^2 of \d+ checks failed\.$", doctor.OutputLines[^1]);
    }

    [KipFact("unshare")]
    public async Task Doctor_ContainerdNotInstalled_NamesThePackageAndExits1()
    {
        // In a mount namespace of its own, the programs are hidden without touching the machine.
        var command = Kip.Command("doctor");
        var arguments = command.ArgumentList.ToArray();
        command.FileName = "unshare";
        command.ArgumentList.Clear();
        foreach (var argument in new[]
        {
            "--mount", "sh", "-c",
            """
            cd "$0" && mkdir upper work && mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=upper,workdir=work /usr/bin || exit 99
            rm /usr/bin/containerd && exec env "$@"
            """,
            Kip.Folder,
        }.Concat(arguments))
        {
            command.ArgumentList.Add(argument);
        }

        var doctor = await Kip.Start(command).EndsAsync();

        Assert.True(doctor.ExitCode == 1, doctor.ToString());
        Assert.Matches(@"(?m)^MISSING  containerd +not found .*\n +-> install Debian's package containerd\b", doctor.Output);
    }
}
