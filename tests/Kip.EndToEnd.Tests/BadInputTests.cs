using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>What a user can get wrong before any cell is launched: each answer names the thing and where it is.</summary>
public sealed class BadInputTests : KipStory
{
    private const string Head = "apiVersion: v1\nkind: Pod\nmetadata: {name: story}\n";

    [KipTheory]
    [InlineData("a: [1, 2", 2, "pod-1.yaml")]
    [InlineData("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n", 2, "Deployment")]
    [InlineData("just a word", 2, "pod-1.yaml")]
    [InlineData("", 2, "pod-1.yaml")]
    [InlineData(Head + "spec: {containers: []}\n", 2, "spec.containers")]
    [InlineData(Head + "spec: {}\n", 2, "spec.containers")]
    [InlineData(Head + "spec: {containers: [{name: a, image: b}]}\n---\n" + Head + "spec: {containers: [{name: a, image: b}]}\n", 2, "pod-1.yaml")]
    [InlineData(Head + "spec: {containers: [{name: a, image: 'UPPER case'}]}\n", 2, "spec.containers[0].image")]
    [InlineData(Head + "spec: {containers: [{name: a}]}\n", 2, "spec.containers[0].image")]
    [InlineData(Head + "spec: {containers: [{name: a, image: b, resources: {requests: {memory: lots}}}]}\n", 2, "lots")]
    [InlineData("kind: Pod\napiVersion: v1\nmetadata: {name: Not_A_Name}\nspec: {containers: [{name: a, image: b}]}\n", 2, "metadata.name")]
    [InlineData(Head + "spec: {containers: [{name: a, image: b, resources: {requests: {cpu: 1000, memory: 1Ti}}}]}\n", 125, "no instance type has")]
    public async Task Run_WrongManifest_IsRefusedWithAReason(string yaml, int exitCode, string named)
    {
        var run = await Kip.RunPodAsync(yaml);

        Assert.True(run.ExitCode == exitCode, run.ToString());
        Assert.Equal("", run.Output);
        Assert.StartsWith("kip: ", run.ErrorLines[^1].StartsWith(' ') ? run.ErrorLines[0] : run.ErrorLines[^1], StringComparison.Ordinal);
        Assert.Contains(named, run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [KipTheory]
    [InlineData("aws", "provider.yaml: it has no cloud.aws, which --cloud aws needs")]
    [InlineData("azure", "Argument 'azure' not recognized. Must be one of:")]
    public async Task Run_CloudThatCannotBe_IsRefused(string cloud, string message)
    {
        var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"), "--cloud", cloud);

        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains(message, run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_MoreThanAnyTypeHas_SaysWhatWasAskedAndTheLargest()
    {
        var run = await Kip.RunPodAsync(Head + "spec: {containers: [{name: a, image: b, resources: {requests: {cpu: 1000, memory: 1Ti}}}]}\n");

        Assert.Equal(125, run.ExitCode);
        Assert.Matches(@"no instance type has 1000 .*1024\.?\d* ?GiB.*the largest available is local\.\S+ with \d+", run.Errors);
    }

    [KipFact]
    public async Task Run_FileMissing_IsNamed()
    {
        var run = await Kip.DoAsync("run", "no-such-pod.yaml");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("no-such-pod.yaml", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_UnknownField_IsWarnedAboutAndThePodRuns()
    {
        var run = await Kip.RunPodAsync(Shell("echo ran", "tremendousGracePeriod: 5"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal("ran\n", run.Output);
        Assert.Contains("tremendousGracePeriod", Assert.Single(run.ErrorLines, static l => l.StartsWith("warning:", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_FieldsThatCannotBeHonoured_AreRefusedByName()
    {
        var run = await Kip.RunPodAsync(Shell(
            "echo ran",
            "volumes: [{name: data, csi: {driver: files}}]",
            "lifecycle: {stopSignal: SIGNONE}"));

        Assert.Equal((125, ""), (run.ExitCode, run.Output));
        Assert.Contains("spec.volumes[0].csi", run.Errors, StringComparison.Ordinal);
        Assert.Contains("spec.containers[0].lifecycle.stopSignal", run.Errors, StringComparison.Ordinal);
    }

    [KipTheory]
    [InlineData("fly", "kip: Unrecognized command or argument 'fly'.\nSee kip --help.\n")]
    [InlineData("run pod.yaml --fast", "kip: Unrecognized command or argument '--fast'.\nSee kip run --help.\n")]
    [InlineData("run --fast", "kip: Unrecognized command or argument '--fast'.\nSee kip run --help.\n")]
    [InlineData("run", "kip: Required argument 'manifest' missing for command: 'run'.\nSee kip run --help.\n")]
    [InlineData("get cells --fast", "kip: Unrecognized command or argument '--fast'.\nSee kip get cells --help.\n")]
    public async Task CommandLine_ThatIsWrong_SaysWhatIsWrongAndWhereToReadOn(string arguments, string errors) =>
        Assert.Equal((2, errors), await Tool.TryAsync(BuiltKip.Program, arguments.Split(' ')));

    [KipFact]
    public async Task Run_ProviderConfigWithATypo_IsWarnedAbout()
    {
        File.AppendAllText(Kip.ProviderFile, "clowd: {}\n");

        var run = await Kip.DoAsync("run", "no-such-pod.yaml");

        Assert.Contains("clowd", Assert.Single(run.ErrorLines, static l => l.StartsWith("warning:", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [KipTheory]
    [InlineData("cloud:\n  local:\n    bridge: [1, 2]\n", "provider.yaml:3")]
    [InlineData("cloud:\n  local:\n    cidr: everything\n", "everything")]
    [InlineData("cloud:\n  local:\n    bridge: a-name-that-is-too-long\n", "a-name-that-is-too-long")]
    [InlineData("cells:\n  registries:\n    - {registry: docker.io, mirrors: [nowhere]}\n", "cells.registries[0].mirrors[0]")]
    [InlineData("cells:\n  registries:\n    - {mirrors: ['http://127.0.0.1:1']}\n", "cells.registries[0].registry")]
    public async Task Run_WrongProviderConfig_SaysWhere(string yaml, string named)
    {
        File.WriteAllText(Kip.ProviderFile, yaml);

        var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.StartsWith("kip: ", run.Errors, StringComparison.Ordinal);
        Assert.Contains(named, run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_ImageArchiveMissing_IsNamed()
    {
        var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"), "--image-archive", "/no/such/image.tar");

        Assert.Equal(125, run.ExitCode);
        Assert.Contains("/no/such/image.tar", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_AddressRangeTaken_NamesItAndTheOption()
    {
        Kip.Configure(cidr: "127.0.0.0/8");

        var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"));

        Assert.Equal((125, ""), (run.ExitCode, run.Output));
        Assert.Contains("127.0.0.0/8 overlaps the ", run.Errors, StringComparison.Ordinal);
        Assert.Contains("Cidr", run.Errors, StringComparison.OrdinalIgnoreCase);
    }

    [KipFact]
    public async Task Run_BridgeNameTaken_NamesItAndTheOption()
    {
        await Tool.RunAsync("ip", "link", "add", Kip.Bridge, "type", "bridge");
        try
        {
            var run = await Kip.DoAsync("run", BuiltKip.Sample("hello.yaml"));

            Assert.Equal((125, ""), (run.ExitCode, run.Output));
            Assert.Contains($"the name {Kip.Bridge} is taken", run.Errors, StringComparison.Ordinal);
        }
        finally
        {
            await Tool.RunAsync("ip", "link", "delete", Kip.Bridge);
        }
    }

    [KipFact("setpriv")]
    public async Task Run_NotRoot_SaysSo()
    {
        // Nobody may not look into the folders of whoever owns this clone: the program is put where everybody may.
        var folder = Directory.CreateTempSubdirectory("kip-e2e-nobody-").FullName;
        try
        {
            await Tool.RunAsync("cp", "-r", Path.GetDirectoryName(BuiltKip.Program)!, Path.Combine(folder, "kip"));
            await Tool.RunAsync("cp", [.. BuiltKip.ImageArchives, BuiltKip.Sample("hello.yaml"), Kip.ProviderFile, folder]);
            await Tool.RunAsync("chmod", "-R", "a+rwX", folder);
            var command = Kip.Command();
            command.FileName = "setpriv";
            command.ArgumentList.Clear();
            foreach (var argument in new[]
            {
                "--reuid=65534", "--regid=65534", "--clear-groups", Path.Combine(folder, "kip", "kip"), "run", Path.Combine(folder, "hello.yaml"),
                "--state-dir", Path.Combine(folder, "state"), "--provider-config", Path.Combine(folder, "provider.yaml"),
            })
            {
                command.ArgumentList.Add(argument);
            }

            command.WorkingDirectory = folder;
            command.Environment["HOME"] = folder;
            command.Environment.Remove("DOCKER_CONFIG");
            command.Environment["KIP_AGENT"] = Path.Combine(folder, "kip", "agent", "kip-agent");
            command.Environment["KIP_IMAGE_ARCHIVES"] = string.Join(':', BuiltKip.ImageArchives.Select(a => Path.Combine(folder, Path.GetFileName(a))));

            var run = await Kip.Start(command).EndsAsync();

            Assert.True(run.ExitCode == 125, run.ToString());
            Assert.Contains("root: not running as root", run.Errors, StringComparison.Ordinal);
            Assert.Contains("sudo", run.Errors, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
