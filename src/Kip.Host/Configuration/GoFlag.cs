namespace Kip.Host.Configuration;

/// <summary>A flag of the Go Kip, and what has become of it.</summary>
/// <param name="Name">Its name, without dashes.</param>
/// <param name="Description">What it does.</param>
/// <param name="IsBoolean">Whether it may stand without a value, and means true then.</param>
/// <param name="Ignored">Why it has no effect any more; null when it has.</param>
internal sealed record GoFlag(string Name, string Description, bool IsBoolean = false, string? Ignored = null)
{
    private const string NoTracing = "traces are not exported";
    private const string NoNetworkAgent = "cells hold no credentials of the cluster: the node tells them what they need";
    private const string OneLog = "the log goes to standard error";

    public const string Kubeconfig = "kubeconfig";
    public const string Namespace = "namespace";
    public const string ClusterDomain = "cluster-domain";
    public const string ClusterDns = "cluster-dns";
    public const string NodeName = "nodename";
    public const string OperatingSystem = "os";
    public const string Provider = "provider";
    public const string MetricsAddress = "metrics-addr";
    public const string TaintKey = "taint";
    public const string DisableTaint = "disable-taint";
    public const string Workers = "pod-sync-workers";
    public const string StartupTimeout = "startup-timeout";
    public const string ApiQps = "kube-api-qps";
    public const string ApiBurst = "kube-api-burst";
    public const string InstanceData = "instance-data-path";
    public const string Verbosity = "klog.v";

    /// <summary>All of them, except <c>--provider-config</c>, which several commands have.</summary>
    public static IReadOnlyList<GoFlag> All { get; } =
    [
        new(Kubeconfig, "Kubeconfig file. Default $KUBECONFIG or ~/.kube/config; if there is none, what a pod of the cluster has"),
        new(Namespace, "Run pods of this namespace only. Default all"),
        new(ClusterDomain, "The cluster's DNS domain. Default cluster.local"),
        new(ClusterDns, "DNS server of pods, at an address that cells reach. Default the cell's own resolver"),
        new(NodeName, "Name of the node. Default $DEFAULTNODE_NAME or virtual-kubelet"),
        new(OperatingSystem, "Linux, which is what cells run"),
        new(Provider, "kip, which is the only one"),
        new(MetricsAddress, "Serve metrics and statistics without TLS or authentication at this address, such as 127.0.0.1:10255. Default not at all"),
        new(TaintKey, "Key of the node's taint. Deprecated: set VKUBELET_TAINT_KEY, _VALUE and _EFFECT"),
        new(DisableTaint, "Register the node without a taint", IsBoolean: true),
        new(Workers, "How many pods are worked on at once. Default 10"),
        new(StartupTimeout, "Give up when the node is not ready after this time, such as 2m. Default never"),
        new(ApiQps, "Requests per second to the API server. Default no limit of ours"),
        new(ApiBurst, "Requests to the API server at once, above --kube-api-qps"),
        new(InstanceData, "JSON file of instance types and prices instead of the built-in ones"),
        new(Verbosity, "4 and more: say more on stderr, as --verbose does"),
        new("enable-node-lease", "", IsBoolean: true, Ignored: "the node always has a lease"),
        new("full-resync-period", "", Ignored: "nothing is missed that a resync would find"),
        new("debug-server", "", IsBoolean: true, Ignored: "there is no debug server"),
        new("network-agent-secret", "", Ignored: NoNetworkAgent),
        new("network-agent-kubeconfig", "", Ignored: NoNetworkAgent),
        new("trace-exporter", "", Ignored: NoTracing),
        new("trace-service-name", "", Ignored: NoTracing),
        new("trace-tag", "", Ignored: NoTracing),
        new("trace-sample-rate", "", Ignored: NoTracing),
        new("trace-zpages-addr", "", Ignored: NoTracing),
        new("klog.logtostderr", "", IsBoolean: true, Ignored: OneLog),
        new("klog.alsologtostderr", "", IsBoolean: true, Ignored: OneLog),
        new("klog.log_dir", "", Ignored: OneLog),
        new("klog.log_file", "", Ignored: OneLog),
        new("klog.log_file_max_size", "", Ignored: OneLog),
        new("klog.skip_headers", "", IsBoolean: true, Ignored: OneLog),
        new("klog.skip_log_headers", "", IsBoolean: true, Ignored: OneLog),
        new("klog.add_dir_header", "", IsBoolean: true, Ignored: OneLog),
        new("klog.stderrthreshold", "", Ignored: OneLog),
        new("klog.vmodule", "", Ignored: OneLog),
        new("klog.log_backtrace_at", "", Ignored: OneLog),
    ];

    /// <summary>
    /// The Go Kip had no <c>node</c>: a command line that begins with one of a node's flags, as those in existing manifests do, is given it.
    /// </summary>
    public static string[] NameCommand(string[] args) =>
        args is [['-', '-', .. var first], ..] && first.Split('=')[0] is var name && (name == "provider-config" || All.Any(f => f.Name == name))
            ? ["node", .. args]
            : args;
}
