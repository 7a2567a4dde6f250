using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Kip.Tests.Support;

namespace Kip.Drivers.Aws.Tests.UserData;

public sealed class CellUserDataTests : IDisposable
{
    private const string Cell = """{"cellId":"cell-1","controllerCa":"-----BEGIN CERTIFICATE-----\nMII'B\n","note":"# : ü €"}""";

    private readonly string _directory = Directory.CreateTempSubdirectory("kip-aws-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Encode_SameText_IsTheSameBytes() => Assert.Equal(CellUserData.Encode(Cell, null, null), CellUserData.Encode(Cell, null, null));

    [Fact]
    public void Encode_UsualCell_IsCompressedCloudConfig()
    {
        using var gzip = new GZipStream(new MemoryStream(Convert.FromBase64String(CellUserData.Encode(Cell, null, null))), CompressionMode.Decompress);
        using var reader = new StreamReader(gzip);

        Assert.StartsWith("#cloud-config\n", reader.ReadToEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void MakeCloudConfig_Always_CarriesTheTextsAsTheyAre()
    {
        var url = new Uri("https://example.com/kip agent");
        var files = Contents(CellUserData.MakeCloudConfig(Cell, url, new string('A', 64)));

        Assert.Equal(
            [Cell, $"KIP_AGENT_URL=https://example.com/kip%20agent\nKIP_AGENT_SHA256={new string('a', 64)}\n", CellUserData.Script],
            files);
    }

    [Fact]
    public void MakeCloudConfig_ImageBringsTheAgent_HasNoDownload() => Assert.Equal("", Contents(CellUserData.MakeCloudConfig(Cell, null, null))[1]);

    [Fact]
    public async Task Script_AgentOfTheRightSum_IsBecome()
    {
        var agent = WriteProgram("agent", "echo agent \"$@\"");

        var (status, output) = await RunAsync(("KIP_AGENT_SHA256", Sha256(agent)));

        Assert.Equal((0, "agent --user-data /etc/kip/cell.json\n"), (status, output));
    }

    [Fact]
    public async Task Script_AgentMissing_IsDownloadedAndChecked()
    {
        var served = WriteProgram("served", "echo downloaded");
        WriteProgram("curl", "while [ $# -gt 1 ]; do [ \"$1\" = --output ] && out=$2; shift; done; cp \"${1#file://}\" \"$out\"");

        var (status, output) = await RunAsync(("KIP_AGENT_URL", "file://" + served), ("KIP_AGENT_SHA256", Sha256(served)));

        Assert.Equal((0, "downloaded\n"), (status, output));
    }

    [Fact]
    public async Task Script_DownloadOfAnotherSum_IsNotRun()
    {
        var served = WriteProgram("served", "echo evil");
        WriteProgram("curl", "while [ $# -gt 1 ]; do [ \"$1\" = --output ] && out=$2; shift; done; cp \"${1#file://}\" \"$out\"");

        var (status, output) = await RunAsync(("KIP_AGENT_URL", "file://" + served), ("KIP_AGENT_SHA256", new string('0', 64)));

        Assert.Equal(1, status);
        Assert.Contains("is not the agent with SHA-256", output, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_directory, "agent")));
        Assert.False(File.Exists(Path.Combine(_directory, "agent.new")));
    }

    [Fact]
    public async Task Script_NoAgentAndNoAddress_SaysWhatToDo()
    {
        var (status, output) = await RunAsync();

        Assert.Equal(1, status);
        Assert.Contains("use a cell image that brings it, or configure the agent's download", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Script_SecondAddress_IsLeftToThePod()
    {
        WriteProgram("agent", "cat \"$(dirname \"$0\")/ip.log\"");
        WriteProgram("ip", """
            echo "$@" >>"$(dirname "$0")/ip.log"
            case "$*" in
            *'route show default') echo 'default via 172.31.0.1 dev ens5 proto dhcp src 172.31.0.4 metric 100' ;;
            *'address show dev ens5 scope global')
                echo '2: ens5    inet 172.31.0.4/20 metric 100 brd 172.31.15.255 scope global dynamic ens5'
                echo '2: ens5    inet 172.31.0.5/20 scope global secondary ens5' ;;
            esac
            """);

        var (status, output) = await RunAsync();

        Assert.Equal(0, status);
        Assert.EndsWith("address del 172.31.0.5/20 dev ens5\n", output, StringComparison.Ordinal);
        Assert.DoesNotContain("del 172.31.0.4", output, StringComparison.Ordinal);
    }

    private static List<string> Contents(string cloudConfig) =>
    [
        .. cloudConfig.Split('\n')
            .Where(line => line.StartsWith("    content: \"", StringComparison.Ordinal))
            .Select(line => JsonSerializer.Deserialize<string>(line["    content: ".Length..])!),
    ];

    private static string Sha256(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private string WriteProgram(string name, string body)
    {
        var path = Path.Combine(_directory, name);
        File.WriteAllText(path, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>Runs the script with this directory's programs before the system's.</summary>
    private async Task<(int Status, string Output)> RunAsync(params (string Name, string Value)[] environment)
    {
        foreach (var (name, body) in new[] { ("containerd", "exit 0"), ("ip", "case \"$*\" in *default) echo 'default via 10.0.0.1 dev eth0';; esac") })
        {
            if (!File.Exists(Path.Combine(_directory, name)))
            {
                WriteProgram(name, body);
            }
        }

        var start = new ProcessStartInfo("/bin/sh", ["-c", "exec 2>&1; exec /bin/sh -c \"$0\"", CellUserData.Script]) { RedirectStandardOutput = true };
        start.Environment["PATH"] = $"{_directory}:/usr/bin:/bin";
        start.Environment["KIP_AGENT"] = Path.Combine(_directory, "agent");
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = await Within.Limits(process.StandardOutput.ReadToEndAsync());
        await Within.Limits(process.WaitForExitAsync());
        return (process.ExitCode, output);
    }
}
