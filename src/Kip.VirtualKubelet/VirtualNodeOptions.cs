using System.Net;
using System.Net.Security;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet;

/// <summary>What a virtual node says of itself.</summary>
public sealed class VirtualNodeOptions
{
    /// <summary>Name of the node object.</summary>
    public required string NodeName { get; init; }

    /// <summary>
    /// Who looks after the node: the holder of its lease. Hosts with other identities wait; those with the same one, which share a store
    /// of cells, must keep each other out by themselves, so that one that was killed is followed at once.
    /// </summary>
    public required string HostIdentity { get; init; }

    /// <summary>
    /// Whether the host of an identity is known to have ended, though its lease says otherwise: its node is taken at once, by force. Known it
    /// must be: a host that lives and a second one would both act. By default nothing is known.
    /// </summary>
    public Func<string, bool> HasEnded { get; init; } = static _ => false;

    /// <summary>Where the API server reaches the kubelet API; also told to pods of the host network as their node.</summary>
    public required IPAddress InternalIP { get; init; }

    /// <summary>Port of the kubelet API; 0 takes a free one. Default 10250.</summary>
    public int KubeletPort { get; init; } = 10250;

    /// <summary>Where the kubelet API listens; null, the default, for every address.</summary>
    public IPAddress? ListenAddress { get; init; }

    /// <summary>
    /// The certificate of the kubelet API, with its key and those of its issuers that clients need, asked for anew with each connection. Null, the default, asks the cluster for one
    /// (signer <c>kubernetes.io/kubelet-serving</c>); until it is approved the node signs for itself, which API servers accept unless they
    /// are told what authority kubelets have.
    /// </summary>
    public Func<SslStreamCertificateContext>? ServingCertificate { get; init; }

    /// <summary>
    /// PEM file in which the certificate that the cluster signed and its key outlive the process, readable by its owner only; null, the
    /// default, for memory. Without effect where <see cref="ServingCertificate"/> is given.
    /// </summary>
    public string? ServingCertificateFile { get; init; }

    /// <summary>
    /// Where metrics and statistics are served over plain HTTP to whoever asks, while this host looks after the node; null, the default,
    /// for nowhere.
    /// </summary>
    public IPEndPoint? PlainMetrics { get; init; }

    /// <summary>The namespace whose pods are run; empty, the default, for all of them.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>
    /// DNS servers of pods whose policy is <c>ClusterFirst</c>, at addresses that cells reach: the cluster's DNS service is at one that
    /// nodes alone reach. Empty, the default, leaves pods the resolver of their cell.
    /// </summary>
    public IReadOnlyList<IPAddress> ClusterDns { get; init; } = [];

    /// <summary>The cluster's DNS domain. Default <c>cluster.local</c>.</summary>
    public string ClusterDomain { get; init; } = "cluster.local";

    /// <summary>Labels beside those that every virtual node has.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>What keeps pods away that do not tolerate it; the default is <c>virtual-kubelet.io/provider=kip:NoSchedule</c>.</summary>
    public IReadOnlyList<Taint> Taints { get; init; } =
        [new Taint { Key = "virtual-kubelet.io/provider", Value = "kip", Effect = "NoSchedule" }];

    /// <summary>What the node offers; the scheduler stops binding pods when it is used up. Default 20 CPUs, 100 GiB and 20 pods, as the Go Kip's.</summary>
    public IReadOnlyDictionary<string, Quantity> Capacity { get; init; } = new Dictionary<string, Quantity>
    {
        ["cpu"] = Quantity.Parse("20"),
        ["memory"] = Quantity.Parse("100Gi"),
        ["pods"] = Quantity.Parse("20"),
    };

    /// <summary>What <c>kubectl get nodes</c> shows as version.</summary>
    public required string Version { get; init; }

    /// <summary>Pods worked on at the same time. Default 10, at least 1.</summary>
    public int Workers { get; init; } = 10;
}
