using System.Diagnostics;
using System.Globalization;
using Kip.Drivers.Local.Host;
using Kip.Drivers.Local.Networking;

namespace Kip.Drivers.Local.Instances;

/// <summary>Starts the first process of a cell whose directory is there, and connects it.</summary>
internal sealed class InstanceLauncher(LocalDriverOptions options, Ipv4Range range, Bridge bridge, Cgroups cgroups, TimeProvider timeProvider)
{
    // The image every pod's sandbox is made of.
    private const string SandboxImage = "registry.k8s.io/pause:3.6";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    // What a process behind a proxy or with a private certificate authority needs to pull images.
    private static readonly string[] PassedOn =
    [
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ",
    ];

    /// <summary>What the cell's PID 1 runs.</summary>
    public static string InitScript() => Resource("cell-init");

    /// <summary>What the cell's containerd is configured with.</summary>
    public static string ContainerdConfiguration() => Resource("containerd.toml")
        .Replace("${SANDBOX_IMAGE}", SandboxImage, StringComparison.Ordinal)
        .Replace("${CNI_PLUGINS}", Tools.FindCniPlugins(), StringComparison.Ordinal);

    /// <summary>Name of the host's end of a cell's link. At most 15 characters may be.</summary>
    public static string LinkName(string id) => "k" + id[2..16];

    public async Task LaunchAsync(
        InstanceDirectory directory, InstanceRecord record, LocalType type, long diskBytes, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(StartLimit, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            KeepOpenFiles();
            using var starter = Command.Start(Describe(directory, record, diskBytes, cgroups.Create(record.Id, type)));
            var init = await ReadInitAsync(starter, either.Token);
            directory.WriteInit(init);
            await bridge.ConnectAsync(LinkName(record.Id), init.Id, record.Address, either.Token);
            await starter.StandardInput.WriteLineAsync("go on".AsMemory(), either.Token);
            await starter.StandardInput.FlushAsync(either.Token);

            // Whoever dials a cell that has no address yet waits a second for the next ARP request.
            if (await starter.StandardOutput.ReadLineAsync(either.Token) is null)
            {
                throw new DriverException(DriverErrorKind.Transient, directory.ReadFailure() ?? "the cell's first process ended at once");
            }
        }
        catch (IOException exception) when (directory.ReadFailure() is { } failure)
        {
            throw new DriverException(DriverErrorKind.Transient, failure, exception);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DriverException(DriverErrorKind.Transient, $"the cell did not start within {StartLimit.TotalSeconds:0} s");
        }
    }

    /// <summary>
    /// Sees to it that the cell, which outlives this process, gets none of its open files: a lock or a pipe of whoever started this process
    /// would be held until the cell ends. What .NET itself opens is never passed on.
    /// </summary>
    private static void KeepOpenFiles()
    {
        // An old kernel or C library without the call: cells run there all the same.
        try
        {
            _ = NativeMethods.CloseRange(3, uint.MaxValue, NativeMethods.CloseRangeCloseOnExec);
        }
        catch (EntryPointNotFoundException)
        {
        }
    }

    private static string Resource(string name)
    {
        using var stream = typeof(InstanceLauncher).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"the resource {name} is missing from this assembly");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static async Task<ProcessIdentity> ReadInitAsync(Process starter, CancellationToken cancellationToken)
    {
        var line = await starter.StandardOutput.ReadLineAsync(cancellationToken);
        if (!int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            var errors = await starter.StandardError.ReadToEndAsync(cancellationToken);
            throw new DriverException(DriverErrorKind.Transient, $"cannot start the cell's first process: {errors.Trim()}");
        }

        return ProcessIdentity.Find(id)
            ?? throw new DriverException(DriverErrorKind.Transient, "the cell's first process ended at once");
    }

    private ProcessStartInfo Describe(InstanceDirectory directory, InstanceRecord record, long diskBytes, IReadOnlyList<string> groups)
    {
        var start = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] command =
        [
            "unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "sh", directory.InitScript,
            options.AgentPath,
            "--user-data", directory.UserDataFile,
            "--runtime-endpoint", "/run/containerd/containerd.sock",
            "--state-dir", "/run/kip/agent",
            "--log-dir", "/run/kip/disk/log/pods",
            "--volume-dir", "/run/kip/disk/volumes",
            "--cgroup-parent", Cgroups.PodsGroup(record.Id),
            "--cni-conf-dir", "/run/kip/net.d",
            "--registry-conf-dir", "/run/kip/certs.d",
            .. options.ImageArchives.SelectMany(archive => new[] { "--image-archive", Path.GetFullPath(archive) }),
        ];
        foreach (var argument in command)
        {
            start.ArgumentList.Add(argument);
        }

        var inherited = PassedOn.Select(name => (Name: name, Value: Environment.GetEnvironmentVariable(name))).ToList();
        start.Environment.Clear();
        foreach (var (name, value) in inherited.Where(variable => variable.Value is not null))
        {
            start.Environment[name] = value;
        }

        start.Environment["PATH"] = Tools.SearchPath;
        start.Environment["CELL_DIRECTORY"] = directory.Path;
        start.Environment["CELL_CGROUPS"] = string.Join(' ', groups);
        start.Environment["CELL_HOSTNAME"] = record.Id;
        start.Environment["CELL_ADDRESS"] = record.Address;
        start.Environment["CELL_PREFIX_LENGTH"] = range.PrefixLength.ToString(CultureInfo.InvariantCulture);
        start.Environment["CELL_GATEWAY"] = bridge.Gateway;
        start.Environment["CELL_DISK_BYTES"] = diskBytes.ToString(CultureInfo.InvariantCulture);
        return start;
    }
}
