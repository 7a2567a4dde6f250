using System.Net;

namespace Kip.Agent.CommandLine;

/// <summary>What the command line says. Parsed by hand: start-up time matters and the options are few.</summary>
internal sealed record AgentOptions
{
    public const string Usage = """
        usage: kip-agent --user-data FILE [options]

          --user-data FILE           the cell's boot configuration, JSON (required)
          --runtime-endpoint SOCKET  containerd's socket              (/run/containerd/containerd.sock)
          --state-dir DIR            what survives an agent restart   (/run/kip-agent)
          --log-dir DIR              container logs                   (/var/log/pods)
          --volume-dir DIR           the pod's volumes, on disk       (/var/lib/kip-agent/volumes)
          --cgroup-parent PATH       cgroup above the pod's           (/kip)
          --cni-conf-dir DIR         where containerd reads CNI       (/etc/cni/net.d)
          --registry-conf-dir DIR    where containerd reads hosts.toml (/etc/containerd/certs.d)
          --seccomp-dir DIR          profiles of type Localhost       (/var/lib/kubelet/seccomp)
          --image-archive FILE       image archive to import; may be repeated
          --listen ADDRESS           address to serve on              (any)
          --version                  print the version
        """;

    public required string UserData { get; init; }

    public string RuntimeEndpoint { get; init; } = "/run/containerd/containerd.sock";

    public string StateDirectory { get; init; } = "/run/kip-agent";

    public string LogDirectory { get; init; } = "/var/log/pods";

    public string VolumeDirectory { get; init; } = "/var/lib/kip-agent/volumes";

    public string CgroupParent { get; init; } = "/kip";

    public string CniConfigDirectory { get; init; } = "/etc/cni/net.d";

    public string RegistryConfigDirectory { get; init; } = "/etc/containerd/certs.d";

    public string SeccompDirectory { get; init; } = "/var/lib/kubelet/seccomp";

    public IReadOnlyList<string> ImageArchives { get; init; } = [];

    /// <summary>Null: every address.</summary>
    public IPAddress? Listen { get; init; }

    /// <summary>Reads the arguments.</summary>
    /// <exception cref="UsageException">An option is unknown, lacks its value, has a bad one, or a required one is missing.</exception>
    public static AgentOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new AgentOptions { UserData = "" };
        var archives = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var (name, value) = Split(arguments, ref i);
            options = name switch
            {
                "--user-data" => options with { UserData = value },
                "--runtime-endpoint" => options with { RuntimeEndpoint = SocketPath(value) },
                "--state-dir" => options with { StateDirectory = Path.GetFullPath(value) },
                "--log-dir" => options with { LogDirectory = Path.GetFullPath(value) },
                "--volume-dir" => options with { VolumeDirectory = Path.GetFullPath(value) },
                "--cgroup-parent" => options with { CgroupParent = value },
                "--cni-conf-dir" => options with { CniConfigDirectory = Path.GetFullPath(value) },
                "--registry-conf-dir" => options with { RegistryConfigDirectory = Path.GetFullPath(value) },
                "--seccomp-dir" => options with { SeccompDirectory = Path.GetFullPath(value) },
                "--image-archive" => Add(options, archives, value),
                "--listen" => options with { Listen = Address(value) },
                _ => throw new UsageException($"unknown option '{name}'"),
            };
        }

        return options.UserData.Length == 0
            ? throw new UsageException("--user-data is required")
            : options with { ImageArchives = archives };
    }

    private static (string Name, string Value) Split(IReadOnlyList<string> arguments, ref int index)
    {
        var argument = arguments[index];
        if (!argument.StartsWith("--", StringComparison.Ordinal))
        {
            throw new UsageException($"unexpected argument '{argument}'");
        }

        var equals = argument.IndexOf('=', StringComparison.Ordinal);
        if (equals > 0)
        {
            return (argument[..equals], argument[(equals + 1)..]);
        }

        return ++index < arguments.Count && arguments[index].Length > 0
            ? (argument, arguments[index])
            : throw new UsageException($"option '{argument}' needs a value");
    }

    private static AgentOptions Add(AgentOptions options, List<string> archives, string value)
    {
        archives.Add(Path.GetFullPath(value));
        return options;
    }

    private static string SocketPath(string value) =>
        value.StartsWith("unix://", StringComparison.Ordinal) ? value["unix://".Length..] : Path.GetFullPath(value);

    private static IPAddress Address(string value) =>
        IPAddress.TryParse(value, out var address) ? address : throw new UsageException($"--listen: '{value}' is not an IP address");
}

/// <summary>The command line or the user data cannot be used; the message is for the operator.</summary>
internal sealed class UsageException(string message) : Exception(message);
