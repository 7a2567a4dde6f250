using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Nodes;

/// <summary>The node object as this host wants it.</summary>
internal sealed class NodeDescription(VirtualNodeOptions options, Func<int> kubeletPort)
{
    public const string Ready = "Ready";

    /// <summary>Whether a host looks after the node at present; <c>False</c> after a planned shutdown, while the cells go on.</summary>
    public const string HostRunning = "kip.elotl.co/HostRunning";

    public string Name => options.NodeName;

    /// <summary>What to create when the node is not there.</summary>
    public Node Create(DateTimeOffset now) => new()
    {
        Metadata = new ObjectMeta { Name = options.NodeName, Labels = Labels() },
        Spec = new NodeSpec { Taints = [.. options.Taints] },
        Status = Status(null, now, hostRunning: true),
    };

    /// <summary>Labels of every virtual node, then the configured ones, which win.</summary>
    public Dictionary<string, string> Labels()
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["type"] = "virtual-kubelet",
            ["kubernetes.io/role"] = "agent",
            ["kubernetes.io/hostname"] = options.NodeName,
            ["kubernetes.io/os"] = "linux",
            ["kubernetes.io/arch"] = "amd64",
            ["beta.kubernetes.io/os"] = "linux",
            // A load balancer that sends traffic to a node's ports finds nothing behind those of a virtual one.
            ["node.kubernetes.io/exclude-from-external-load-balancers"] = "true",
        };
        foreach (var (key, value) in options.Labels)
        {
            labels[key] = value;
        }

        return labels;
    }

    /// <summary>The status to report; conditions that did not change keep the time of their last change.</summary>
    public NodeStatus Status(NodeStatus? reported, DateTimeOffset now, bool hostRunning)
    {
        var capacity = options.Capacity.ToDictionary(StringComparer.Ordinal);
        return new NodeStatus
        {
            Capacity = capacity,
            Allocatable = capacity,
            Addresses =
            [
                new NodeAddress { Type = "InternalIP", Address = options.InternalIP.ToString() },
                new NodeAddress { Type = "Hostname", Address = options.NodeName },
            ],
            DaemonEndpoints = new NodeDaemonEndpoints { KubeletEndpoint = new DaemonEndpoint { Port = kubeletPort() } },
            NodeInfo = new NodeSystemInfo
            {
                KubeletVersion = options.Version,
                ContainerRuntimeVersion = "kip://" + KipVersion.Text,
                OsImage = "Kip, one cell for each pod",
                OperatingSystem = "linux",
                Architecture = "amd64",
            },
            Conditions =
            [
                // A planned shutdown leaves Ready alone: the pods run on, and a node that is not ready loses them their traffic at once.
                Condition(Ready, true, "KipReady", "kip gives every pod a cell of its own"),
                hostRunning
                    ? Condition(HostRunning, true, "HostRunning", "a kip host looks after this node")
                    : Condition(HostRunning, false, "HostShutDown", "the kip host was shut down on purpose; cells and their pods go on, and the next host takes them up"),
                Condition("MemoryPressure", false, "CellsHaveTheirOwn", "every pod has the memory of its own cell"),
                Condition("DiskPressure", false, "CellsHaveTheirOwn", "every pod has the disk of its own cell"),
                Condition("PIDPressure", false, "CellsHaveTheirOwn", "every pod has the processes of its own cell"),
                Condition("NetworkUnavailable", false, "CellsHaveTheirOwn", "every cell has its own place in the cloud's network"),
            ],
        };

        NodeCondition Condition(string type, bool holds, string reason, string message)
        {
            var status = holds ? "True" : "False";
            var last = reported?.Conditions?.Find(c => c.Type == type);
            return new NodeCondition
            {
                Type = type,
                Status = status,
                LastHeartbeatTime = now,
                LastTransitionTime = last?.Status == status ? last.LastTransitionTime : now,
                Reason = reason,
                Message = message,
            };
        }
    }
}
