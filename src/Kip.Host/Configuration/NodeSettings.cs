using System.Globalization;
using System.Net;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Host.Configuration;

/// <summary>Everything <c>kip node</c> needs to know: flags and environment as the Go Kip took them, and provider.yaml, checked.</summary>
internal sealed record NodeSettings
{
    /// <summary>What the node has in common with other commands, provider.yaml among it.</summary>
    public required HostSettings Host { get; init; }

    public string NodeName { get; init; } = "virtual-kubelet";

    public CellStorePlace CellStore { get; init; } = CellStorePlace.File;

    /// <summary>The kubeconfig file that was asked for; null for the usual places, and for what a pod of the cluster has.</summary>
    public string? Kubeconfig { get; init; }

    /// <summary>The API server, instead of the one in the kubeconfig; null when not given.</summary>
    public Uri? Server { get; init; }

    /// <summary>The only namespace whose pods are run; null for all.</summary>
    public string? Namespace { get; init; }

    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>Null: that of the service kube-system/kube-dns.</summary>
    public IPAddress? ClusterDns { get; init; }

    /// <summary>Null when the node has none.</summary>
    public Taint? Taint { get; init; }

    public int Workers { get; init; } = 10;

    /// <summary>How long the node may take to be ready; null for ever.</summary>
    public TimeSpan? StartupTimeout { get; init; }

    /// <summary>Requests per second to the API server; null for no limit of ours.</summary>
    public double? ApiQps { get; init; }

    /// <summary>Requests at once above <see cref="ApiQps"/>; null for the client's default.</summary>
    public int? ApiBurst { get; init; }

    /// <summary>The node's address; null to find it out.</summary>
    public IPAddress? InternalIP { get; init; }

    public int KubeletPort { get; init; } = 10250;

    /// <summary>PEM files of the kubelet API's certificate and key; null to have one of the cluster's making.</summary>
    public (string Certificate, string Key)? ServingCertificate { get; init; }

    /// <summary>Where metrics are served in the clear; null for nowhere.</summary>
    public IPEndPoint? MetricsAddress { get; init; }

    /// <summary>JSON file of instance types and prices; null for the built-in ones.</summary>
    public string? InstanceData { get; init; }

    /// <summary>MOCK_CLOUD_API: cells exist in memory only.</summary>
    public bool SimulatedCloud { get; init; }

    public bool Verbose { get; init; }

    /// <summary>What was given and has no effect, of the command line, the environment and provider.yaml.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <exception cref="HostException">Something is missing or wrong; the message names every wrong flag or variable, or every wrong key.</exception>
    public static async Task<NodeSettings> LoadAsync(NodeOptions.Values options, CancellationToken cancellationToken)
    {
        if (options.Shared.ProviderConfig is null)
        {
            throw new HostException(ExitCodes.Usage, "--provider-config: the path of provider.yaml is needed");
        }

        var host = await HostSettings.LoadAsync(options.Shared, needsCloud: true, cancellationToken).ConfigureAwait(false);
        try
        {
            return Read(options, Environment.GetEnvironmentVariable, host);
        }
        catch (ConfigurationException e)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }
    }

    /// <exception cref="ConfigurationException">Flags or variables are wrong; the message names each.</exception>
    public static NodeSettings Read(NodeOptions.Values options, Func<string, string?> environment, HostSettings host)
    {
        var reader = new Reader(options, environment);
        var settings = reader.Read(host);
        return reader.Errors.All.Count == 0
            ? settings
            : throw new ConfigurationException("the command line", [.. reader.Errors.All.Select(static e => e.ToString())]);
    }

    private sealed class Reader(NodeOptions.Values options, Func<string, string?> environment)
    {
        private readonly List<string> _warnings = [];

        public FieldErrors Errors { get; } = new();

        public NodeSettings Read(HostSettings host)
        {
            foreach (var flag in GoFlag.All)
            {
                if (flag.Ignored is { } why && options.Flags.ContainsKey(flag.Name))
                {
                    _warnings.Add($"--{flag.Name} is ignored: {why}");
                }
            }

            foreach (var variable in new[] { "OCAGENT_ENDPOINT", "OCAGENT_INSECURE" })
            {
                if (Variable(variable) is not null)
                {
                    _warnings.Add($"{variable} is ignored: traces are not exported");
                }
            }

            CheckFixed(GoFlag.Provider, "kip");
            CheckFixed(GoFlag.OperatingSystem, "linux");
            var (nodeNameField, nodeName) = Either(GoFlag.NodeName, "DEFAULTNODE_NAME", "virtual-kubelet");
            Check(nodeNameField, nodeName, Names.DnsSubdomain);
            var domain = Flag(GoFlag.ClusterDomain) ?? "cluster.local";
            Check($"--{GoFlag.ClusterDomain}", domain, Names.DnsSubdomain);
            if (Flag(GoFlag.Namespace) is { } @namespace)
            {
                Check($"--{GoFlag.Namespace}", @namespace, Names.DnsLabel);
            }

            return new NodeSettings
            {
                Host = host,
                NodeName = nodeName,
                CellStore = options.CellStore ?? host.Provider.Cells.Store ?? (host.Provider.Cloud is LocalConfiguration ? CellStorePlace.File : CellStorePlace.Cluster),
                Kubeconfig = Kubeconfig(),
                Server = Server(),
                Namespace = Flag(GoFlag.Namespace),
                ClusterDomain = domain,
                ClusterDns = ClusterDns(),
                Taint = Taint(),
                Workers = Number($"--{GoFlag.Workers}", Flag(GoFlag.Workers), 1, 10_000) ?? 10,
                StartupTimeout = Duration(GoFlag.StartupTimeout),
                ApiQps = Rate(GoFlag.ApiQps),
                ApiBurst = Number($"--{GoFlag.ApiBurst}", Flag(GoFlag.ApiBurst), 0, int.MaxValue) is > 0 and var burst ? burst : null,
                InternalIP = Address("VKUBELET_POD_IP", Variable("VKUBELET_POD_IP")),
                KubeletPort = Number("KUBELET_PORT", Variable("KUBELET_PORT"), 1, ushort.MaxValue) ?? 10250,
                ServingCertificate = ServingCertificate(),
                MetricsAddress = MetricsAddress(),
                InstanceData = InstanceData(),
                SimulatedCloud = Switch("MOCK_CLOUD_API", Variable("MOCK_CLOUD_API")),
                Verbose = options.Shared.Verbose || Number($"--{GoFlag.Verbosity}", Flag(GoFlag.Verbosity), 0, int.MaxValue) >= 4,
                Warnings = [.. _warnings, .. host.Warnings],
            };
        }

        private string? Kubeconfig()
        {
            if (Flag(GoFlag.Kubeconfig) is not { } path || File.Exists(path))
            {
                return Flag(GoFlag.Kubeconfig);
            }

            if (Variable("KUBERNETES_SERVICE_HOST") is null)
            {
                Errors.Invalid($"--{GoFlag.Kubeconfig}", path, "there is no such file");
            }
            else
            {
                _warnings.Add($"--{GoFlag.Kubeconfig}: there is no file {path}; what this pod has of its cluster is used");
            }

            return null;
        }

        private Uri? Server()
        {
            if (Variable("MASTER_URI") is not { } text)
            {
                return null;
            }

            // As kubectl's --server: a host alone is taken too.
            var full = text.Contains("://", StringComparison.Ordinal) ? text : $"https://{text}";
            if (Uri.TryCreate(full, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0)
            {
                return uri;
            }

            Errors.Invalid("MASTER_URI", text, "must be the address of an API server, such as https://10.0.0.1:6443");
            return null;
        }

        // The Go Kip looked the service up when the address was unusable too; one that was meant must not vanish.
        private IPAddress? ClusterDns() =>
            Address($"--{GoFlag.ClusterDns}", Flag(GoFlag.ClusterDns)) is { } address && !address.Equals(IPAddress.Any) ? address : null;

        private Taint? Taint()
        {
            // Here the variable goes first.
            var (keyField, key) = Variable("VKUBELET_TAINT_KEY") is { } given
                ? ("VKUBELET_TAINT_KEY", given)
                : ($"--{GoFlag.TaintKey}", Flag(GoFlag.TaintKey) ?? "virtual-kubelet.io/provider");
            var value = Variable("VKUBELET_TAINT_VALUE") ?? "kip";
            var effect = Variable("VKUBELET_TAINT_EFFECT") ?? "NoSchedule";
            Check(keyField, key, Names.QualifiedName);
            Check("VKUBELET_TAINT_VALUE", value, Names.LabelValue);
            Errors.OneOf("VKUBELET_TAINT_EFFECT", effect, "NoSchedule", "NoExecute", "PreferNoSchedule");
            return Boolean(GoFlag.DisableTaint) ? null : new Taint { Key = key, Value = value, Effect = effect };
        }

        private (string Certificate, string Key)? ServingCertificate()
        {
            var certificate = Variable("APISERVER_CERT_LOCATION");
            var key = Variable("APISERVER_KEY_LOCATION");
            if (certificate is null != key is null)
            {
                Errors.Required(certificate is null ? "APISERVER_CERT_LOCATION" : "APISERVER_KEY_LOCATION", "a certificate and its key are given together");
            }

            if (certificate is null || key is null)
            {
                return null;
            }

            // The Go Kip wrote a self-signed pair there; existing manifests name files that nothing else makes.
            if (!File.Exists(certificate) && !File.Exists(key))
            {
                _warnings.Add($"APISERVER_CERT_LOCATION: there is no file {certificate}; the cluster is asked for a certificate");
                return null;
            }

            foreach (var (field, path) in new[] { ("APISERVER_CERT_LOCATION", certificate), ("APISERVER_KEY_LOCATION", key) })
            {
                if (!File.Exists(path))
                {
                    Errors.Invalid(field, path, "there is no such file");
                }
            }

            return (certificate, key);
        }

        private IPEndPoint? MetricsAddress()
        {
            if (Flag(GoFlag.MetricsAddress) is not { } text)
            {
                return null;
            }

            // Go listens on every address when there is only a port.
            var full = text.StartsWith(':') ? $"[::]{text}" : text.StartsWith("localhost:", StringComparison.Ordinal) ? $"127.0.0.1{text["localhost".Length..]}" : text;
            if (IPEndPoint.TryParse(full, out var end) && end.Port > 0)
            {
                return end;
            }

            Errors.Invalid($"--{GoFlag.MetricsAddress}", text, "must be an address and a port, such as 127.0.0.1:10255 or :10255");
            return null;
        }

        private string? InstanceData()
        {
            if (Flag(GoFlag.InstanceData) is { } path && !File.Exists(path))
            {
                Errors.Invalid($"--{GoFlag.InstanceData}", path, "there is no such file");
            }

            return Flag(GoFlag.InstanceData);
        }

        private void CheckFixed(string flag, string only)
        {
            if (Flag(flag) is { } given && !given.Equals(only, StringComparison.OrdinalIgnoreCase))
            {
                Errors.NotSupported($"--{flag}", given, only);
            }
        }

        private void Check(string field, string value, Func<string, string?> check)
        {
            if (check(value) is { } problem)
            {
                Errors.Invalid(field, value, problem);
            }
        }

        private int? Number(string field, string? text, int least, int most)
        {
            if (text is null)
            {
                return null;
            }

            if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            {
                return number;
            }

            Errors.Invalid(field, text, $"must be a whole number from {least} to {most}");
            return null;
        }

        private double? Rate(string flag)
        {
            if (Flag(flag) is not { } text)
            {
                return null;
            }

            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var rate) && double.IsFinite(rate) && rate >= 0)
            {
                return rate > 0 ? rate : null;
            }

            Errors.Invalid($"--{flag}", text, "must be a number, 0 for no limit");
            return null;
        }

        private TimeSpan? Duration(string flag)
        {
            if (Flag(flag) is not { } text)
            {
                return null;
            }

            if (GoFormat.TryParseDuration(text, out var duration) && duration >= TimeSpan.Zero && duration.TotalMilliseconds <= int.MaxValue)
            {
                return duration > TimeSpan.Zero ? duration : null;
            }

            Errors.Invalid($"--{flag}", text, "must be a duration such as 90s or 2m, at most 596h");
            return null;
        }

        private bool Boolean(string flag)
        {
            var text = Flag(flag) ?? "false";
            if (!GoFormat.TryParseBool(text, out var value))
            {
                Errors.Invalid($"--{flag}", text, "must be true or false");
            }

            return value;
        }

        private bool Switch(string field, string? text)
        {
            switch (text?.ToLowerInvariant())
            {
                case null or "0" or "f" or "false" or "n" or "no" or "off":
                    return false;
                case "1" or "t" or "true" or "y" or "yes" or "on":
                    return true;
                default:
                    Errors.Invalid(field, text, "must be true or false");
                    return false;
            }
        }

        private IPAddress? Address(string field, string? text)
        {
            if (text is not null && !IPAddress.TryParse(text, out _))
            {
                Errors.Invalid(field, text, "must be an IP address");
                return null;
            }

            return text is null ? null : IPAddress.Parse(text);
        }

        private (string Field, string Value) Either(string flag, string variable, string otherwise) =>
            Flag(flag) is { } given ? ($"--{flag}", given)
            : Variable(variable) is { } set ? (variable, set)
            : ($"--{flag}", otherwise);

        private string? Flag(string name) => options.Flags.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;

        private string? Variable(string name) => environment(name) is { Length: > 0 } value ? value : null;
    }
}
