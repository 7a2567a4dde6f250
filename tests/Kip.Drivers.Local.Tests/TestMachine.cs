using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using Kip.Drivers.Local.Instances;
using Kip.Drivers.Local.Host;
using Kip.Drivers.Local.Networking;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Drivers.Local.Tests;

/// <summary>One test's own bridge, address range and state directory on this machine, and all that can be found out about them.</summary>
internal sealed class TestMachine
{
    public const string Controller = "controller-a";

    // Stands in for kip-agent: serves the arguments it was given, and its user data, over HTTP on the agent's port.
    private const string FakeAgent = """
        #!/bin/sh
        mkdir -p /run/kip/agent/www
        echo "$@" >/run/kip/agent/www/arguments
        cat "$2" >/run/kip/agent/www/user-data
        exec busybox httpd -f -p 6421 -h /run/kip/agent/www
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HashSet<string> _controllers = new(StringComparer.Ordinal);

    public TestMachine(string agent = FakeAgent)
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("kip-local-").FullName;
        Bridge = "kt" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(5));
        Cidr = FreeRange();
        AgentPath = Path.Combine(Directory, "fake-agent");
        File.WriteAllText(AgentPath, agent);
        File.SetUnixFileMode(AgentPath, (UnixFileMode)0b111_101_101);
    }

    public string Directory { get; }

    public string State => Path.Combine(Directory, "state");

    public string Bridge { get; }

    public string Cidr { get; }

    public string AgentPath { get; }

    public static CancellationToken Limit => new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token;

    public LocalDriverOptions Options(string controller = Controller) => new()
    {
        ControllerId = controller,
        StateDirectory = State,
        Bridge = Bridge,
        Cidr = Cidr,
        AgentPath = AgentPath,
    };

    public LocalDriver Driver(string controller = Controller) => Driver(Options(controller));

    public LocalDriver Driver(LocalDriverOptions options)
    {
        lock (_controllers)
        {
            _controllers.Add(options.ControllerId);
        }

        return new LocalDriver(options, TimeProvider.System, NullLogger<LocalDriver>.Instance);
    }

    /// <summary>The agent that ./test or ./kip has built, or null.</summary>
    public static string? RealAgent()
    {
        var path = Environment.GetEnvironmentVariable("KIP_AGENT") ?? Path.Combine(RepositoryRoot(), "artifacts", "kip", "agent", "kip-agent");
        return File.Exists(path) ? path : null;
    }

    public static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!System.IO.Directory.Exists(Path.Combine(directory.FullName, "samples")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("the tests do not run inside the repository");
        }

        return directory.FullName;
    }

    public static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    public static LaunchRequest Request(string? token = null, string controller = Controller) => new()
    {
        LaunchToken = token ?? NewToken(),
        InstanceType = "local.nano",
        Zone = LocalCatalog.Zone,
        ImageId = "local",
        DiskBytes = 1L << 30,
        UserData = """{"cellId":"test"}""",
        Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = controller, [InstanceTags.CellId] = "cell-1" },
    };

    public InstanceDirectory Cell(string id, string controller = Controller) => new InstanceStore(State, controller, TimeProvider.System).Get(id);

    /// <summary>Waits until something is so; otherwise the test fails with what it waited for and the cells' consoles.</summary>
    public async Task Eventually(string what, Func<Task<bool>> condition)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Patience)
            {
                throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for: {what}\n{Consoles()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, CancellationToken.None);
        }
    }

    public Task Eventually(string what, Func<bool> condition) => Eventually(what, () => Task.FromResult(condition()));

    /// <summary>What the stand-in agent answers, as soon as it does.</summary>
    public async Task<string> AskAgentAsync(Instance instance, string path)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        var answer = "";
        await Eventually($"the agent of {instance.Id} answers at {instance.Address}", async () =>
        {
            try
            {
                answer = await http.GetStringAsync(new Uri($"http://{instance.Address}:6421/{path}"));
                return true;
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException or SocketException)
            {
                return false;
            }
        });
        return answer;
    }

    public static async Task<Instance> GetAsync(LocalDriver driver, string id) =>
        (await driver.ListAsync(Limit)).Single(instance => instance.Id == id);

    /// <summary>Runs a program on this machine or (with a process id) in the namespaces of that process.</summary>
    public static async Task<(int Status, string Output)> RunAsync(int? inside, params string[] command)
    {
        string[] all = inside is { } id ? ["nsenter", $"--target={id}", "--mount", "--net", "--pid", "--ipc", "--uts", .. command] : command;
        using var process = Process.Start(new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(Limit);
        var errors = process.StandardError.ReadToEndAsync(Limit);
        await process.WaitForExitAsync(Limit);
        return (process.ExitCode, await output + await errors);
    }

    public Task ContainerdReadyAsync(int init) => Eventually("containerd answers", async () =>
        (await RunAsync(init, "ctr", "version")).Status == 0);

    /// <summary>Host process ids of the processes of a cell with this command name.</summary>
    public static List<int> ProcessesOf(string id, string name) => [.. Cgroups.OfThisMachine().Processes(id).Where(process =>
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/comm").Trim() == name;
        }
        catch (IOException)
        {
            return false;
        }
    })];

    /// <summary>Everything on this machine that belongs to this test's cells, in words. Empty when nothing is left.</summary>
    public async Task<IReadOnlyList<string>> LeftoversAsync()
    {
        var left = new List<string>();
        var ids = System.IO.Directory.Exists(Path.Combine(State, "ended"))
            ? System.IO.Directory.GetFiles(Path.Combine(State, "ended"), "*.json", SearchOption.AllDirectories).Select(Path.GetFileNameWithoutExtension).ToList()
            : [];
        left.AddRange(System.IO.Directory.GetDirectories("/sys/class/net")
            .Select(Path.GetFileName)
            .Where(name => name == Bridge || ids.Exists(id => name == InstanceLauncher.LinkName(id!)))
            .Select(name => $"interface {name}"));
        left.AddRange(File.ReadLines("/proc/self/mountinfo").Where(line => line.Contains(Directory, StringComparison.Ordinal)).Select(line => $"mount {line}"));
        left.AddRange((await RunAsync(null, "losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE")).Output.Split('\n')
            .Where(line => line.Contains(Directory, StringComparison.Ordinal)).Select(line => $"loop device {line}"));
        left.AddRange(System.IO.Directory.GetDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup")
            .SelectMany(hierarchy => ids.Select(id => Path.Combine(hierarchy, "kip", id!)))
            .Where(System.IO.Directory.Exists).Select(group => $"control group {group}"));
        left.AddRange(System.IO.Directory.GetDirectories("/proc").Where(IsOfThisTest).Select(process => $"process {process}"));
        if ((await RunAsync(null, "nft", "list", "tables")).Output.Split('\n').Contains($"table ip {Bridge}"))
        {
            left.Add($"nft table {Bridge}");
        }

        if (System.IO.Directory.Exists(State))
        {
            left.AddRange(System.IO.Directory.GetFileSystemEntries(State, "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(State, path))
                .Where(path => !path.StartsWith("ended", StringComparison.Ordinal) && path is not "cells" && Path.GetDirectoryName(path) != "cells")
                .Select(path => $"file {path}"));
        }

        return left;
    }

    /// <summary>Ends every cell and deletes every file of this test.</summary>
    public async Task DisposeAsync()
    {
        foreach (var driver in _controllers.Select(controller => Driver(controller)).ToList())
        {
            var ids = (await driver.ListAsync(Limit)).Select(instance => instance.Id).ToList();
            await driver.TerminateAsync(ids, Limit);
        }

        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private bool IsOfThisTest(string process)
    {
        try
        {
            return int.TryParse(Path.GetFileName(process), out var id)
                && id != Environment.ProcessId
                && File.ReadAllText(Path.Combine(process, "cmdline")).Contains(State, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private string Consoles() => !System.IO.Directory.Exists(State) ? "" : string.Join('\n', System.IO.Directory
        .GetFiles(State, "console.log", SearchOption.AllDirectories).Select(file => $"{file}:\n{File.ReadAllText(file)}"));

    private static string FreeRange()
    {
        while (true)
        {
            var candidate = Ipv4Range.TryParse($"10.{RandomNumberGenerator.GetInt32(214, 221)}.{RandomNumberGenerator.GetInt32(256)}.0/24")!.Value;
            if (HostRoutes.FindOverlap(candidate, except: "") is null)
            {
                return candidate.ToString();
            }
        }
    }
}
