using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>One test's own Kip: state folder, bridge and address range, the commands it runs, and all they leave on this machine.</summary>
internal sealed class KipHome : IDisposable
{
    private readonly FileStream _reservation;
    private readonly List<KipProcess> _processes = [];
    private string _cells = "";
    private int _manifests;

    public KipHome()
    {
        (Network, _reservation) = ReserveNetwork();
        Configure();
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("kip-e2e-").FullName;

    public string Bridge { get; } = "ke" + RandomNumberGenerator.GetHexString(10, lowercase: true);

    /// <summary>The first three numbers of the addresses.</summary>
    public string Network { get; }

    public string Cidr => $"{Network}.0/24";

    /// <summary>This machine, as its cells see it.</summary>
    public string Gateway => $"{Network}.1";

    public string State => Path.Combine(Folder, "state");

    public string ProviderFile => Path.Combine(Folder, "provider.yaml");

    /// <summary>Identifiers of the cells' instances that are there.</summary>
    public IReadOnlyList<string> Instances => Files("local/cells", "instance.json").Select(static f => Path.GetFileName(Path.GetDirectoryName(f)!)).ToList();

    /// <summary>Writes provider.yaml anew.</summary>
    /// <param name="cells">What goes below <c>cells:</c>, in YAML.</param>
    /// <param name="cidr">Another range than this test's own.</param>
    /// <param name="bridge">Another bridge than this test's own.</param>
    public void Configure(string? cells = null, string? cidr = null, string? bridge = null)
    {
        _cells = cells ?? _cells;
        File.WriteAllText(ProviderFile, $"cloud:\n  local:\n    bridge: {bridge ?? Bridge}\n    cidr: {cidr ?? Cidr}\n{(_cells.Length > 0 ? $"cells:\n{_cells}\n" : "")}");
    }

    /// <summary>Starts a command in this home.</summary>
    public KipProcess Start(params string[] arguments) => Start(Command(arguments));

    public KipProcess Start(ProcessStartInfo command)
    {
        var process = new KipProcess(command);
        _processes.Add(process);
        return process;
    }

    /// <summary>A command to add environment or wrappers to.</summary>
    public ProcessStartInfo Command(params string[] arguments)
    {
        // Whoever runs the tests may ignore signals (nohup does), and a child would inherit that.
        var start = new ProcessStartInfo("env", ["--default-signal", BuiltKip.Program, .. arguments, "--state-dir", State, "--provider-config", ProviderFile]);
        start.Environment["KIP_AGENT"] = BuiltKip.Agent;
        start.Environment["KIP_IMAGE_ARCHIVES"] = string.Join(':', BuiltKip.ImageArchives);
        start.Environment["DOCKER_CONFIG"] = Folder; // not that of whoever runs the tests
        return start;
    }

    public Task<KipResult> DoAsync(params string[] arguments) => Start(arguments).EndsAsync();

    /// <summary><c>kip run</c> of a manifest.</summary>
    public KipProcess StartPod(string yaml, params string[] options) => Start(["run", Write(yaml), .. options]);

    public Task<KipResult> RunPodAsync(string yaml, params string[] options) => StartPod(yaml, options).EndsAsync();

    public string Write(string yaml)
    {
        var file = Path.Combine(Folder, $"pod-{Interlocked.Increment(ref _manifests)}.yaml");
        File.WriteAllText(file, yaml);
        return file;
    }

    /// <summary>Host process ids of a cell's processes with this command name.</summary>
    public IReadOnlyList<int> ProcessesOf(string name) => Instances
        .SelectMany(static id => Groups().Select(g => Path.Combine(g, "kip", id)))
        .Where(Directory.Exists)
        .SelectMany(static g => Read(() => Directory.GetFiles(g, "cgroup.procs", SearchOption.AllDirectories)) ?? [])
        .SelectMany(static f => Read(() => File.ReadAllLines(f)) ?? [])
        .Select(static l => int.Parse(l, CultureInfo.InvariantCulture))
        .Distinct()
        .Where(p => Read(() => File.ReadAllText($"/proc/{p}/comm"))?.Trim() == name)
        .ToList();

    /// <summary>Host process id of the only cell's first process.</summary>
    public int Init => int.Parse(File.ReadAllText(Files("local/cells", "init").Single()).Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>Everything on this machine that this home's cells have left behind, in words.</summary>
    public async Task<IReadOnlyList<string>> LeftoversAsync()
    {
        var ended = Files("local/ended", "*.json").Select(static f => Path.GetFileNameWithoutExtension(f)).ToList();
        var ids = ended.Concat(Instances).Distinct().ToList();
        var left = new List<string>();
        left.AddRange(Directory.GetDirectories("/sys/class/net").Select(static i => Path.GetFileName(i))
            .Where(n => n == Bridge || ids.Exists(id => n == "k" + id[2..16])).Select(static n => $"interface {n}"));
        left.AddRange(File.ReadLines("/proc/self/mountinfo").Where(Mine).Select(static m => $"mount {m}"));
        left.AddRange(Directory.GetDirectories("/sys/block", "loop*")
            .Select(static d => (Device: d, File: Read(() => File.ReadAllText(Path.Combine(d, "loop", "backing_file")))))
            .Where(l => l.File is { } file && Mine(file)).Select(static l => $"loop device {l.Device} of {l.File}"));
        left.AddRange(Groups().SelectMany(g => ids.Select(id => Path.Combine(g, "kip", id))).Where(Directory.Exists).Select(static g => $"control group {g}"));
        left.AddRange(Directory.GetDirectories("/proc").Where(static p => int.TryParse(Path.GetFileName(p), out _))
            .Select(static p => (Id: p, Command: Read(() => File.ReadAllText(Path.Combine(p, "cmdline")).Replace('\0', ' '))))
            .Where(p => p.Command is { } command && command.Contains(State, StringComparison.Ordinal)).Select(static p => $"process {p.Id}: {p.Command}"));
        if ((await Tool.RunAsync("nft", "list", "tables")).Split('\n').Contains($"table ip {Bridge}"))
        {
            left.Add($"nftables table {Bridge}");
        }

        left.AddRange(Entries("local/cells").Where(static e => e.Contains('/')).Select(static e => $"cell directory {e}"));
        left.AddRange(Entries("local").Where(static e => e == "lock").Select(static e => $"file local/{e}"));
        return left;
    }

    /// <summary>Fails unless no cell, no record and nothing of a cell is left.</summary>
    public async Task AssertNothingLeftAsync()
    {
        if (!Directory.Exists(Path.Combine(State, "local")))
        {
            return; // no cell was ever launched
        }

        // First with own eyes: kip would remove what it finds.
        Assert.Empty(await LeftoversAsync());
        var cells = await DoAsync("get", "cells");
        Assert.Equal((0, "", "No cells.\n"), (cells.ExitCode, cells.Output, cells.Errors));
    }

    /// <summary>
    /// The end of a test. When its commands have ended by themselves, nothing may be left; else they are ended here, and kip cleans up.
    /// </summary>
    public async Task EndAsync()
    {
        try
        {
            if (_processes.TrueForAll(static p => p.HasExited))
            {
                await AssertNothingLeftAsync();
            }
        }
        finally
        {
            _processes.ForEach(static p => p.Dispose());
            _processes.Clear();
            if (Directory.Exists(Path.Combine(State, "local")))
            {
                Configure(cells: "");
                await DoAsync("get", "cells");
            }
        }
    }

    public void Dispose()
    {
        _processes.ForEach(static p => p.Dispose());
        _reservation.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static IEnumerable<string> Groups() => Directory.GetDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup");

    private static T? Read<T>(Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // it ended meanwhile
        }
    }

    private static (string Network, FileStream Reservation) ReserveNetwork()
    {
        while (true)
        {
            var network = string.Create(CultureInfo.InvariantCulture, $"10.{RandomNumberGenerator.GetInt32(221, 231)}.{RandomNumberGenerator.GetInt32(256)}");
            try
            {
                // Locked while the test runs, for the sake of other test processes on this machine.
                var reservation = new FileStream(
                    Path.Combine(Path.GetTempPath(), $"kip-e2e-{network}.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
                if (!File.ReadAllText("/proc/net/fib_trie").Contains($"|-- {network}.", StringComparison.Ordinal))
                {
                    return (network, reservation);
                }

                reservation.Dispose();
            }
            catch (IOException)
            {
                // Another test has it.
            }
        }
    }

    private bool Mine(string text) => text.Contains(Folder, StringComparison.Ordinal);

    private string[] Files(string folder, string pattern)
    {
        var path = Path.Combine(State, folder);
        return Directory.Exists(path) ? Read(() => Directory.GetFiles(path, pattern, SearchOption.AllDirectories)) ?? [] : [];
    }

    private string[] Entries(string folder)
    {
        var path = Path.Combine(State, folder);
        return Directory.Exists(path)
            ? [.. Directory.GetFileSystemEntries(path, "*", SearchOption.AllDirectories).Select(e => Path.GetRelativePath(path, e))]
            : [];
    }
}
