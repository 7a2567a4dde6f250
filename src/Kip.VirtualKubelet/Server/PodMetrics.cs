using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Server;

/// <summary>The metrics of pods, with the names that a kubelet gives them.</summary>
internal static class PodMetrics
{
    private const double NanoSeconds = 1e9;

    /// <summary>/metrics/resource, which metrics-server reads.</summary>
    public static string Resource(IReadOnlyList<PodUsage> usages, DateTimeOffset now)
    {
        var text = new MetricsText();
        text.Begin("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds")
            .Sample(NodeUsage.Cpu(usages, now).UsageCoreNanoSeconds / NanoSeconds, now);
        text.Begin("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes")
            .Sample(NodeUsage.Memory(usages, now).WorkingSetBytes, now);
        text.Begin("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds");
        ForContainers(usages, (pod, container) => text.Sample(
            container.Cpu?.UsageCoreNanoSeconds / NanoSeconds, container.Cpu?.Time, Labels(pod, container)));
        text.Begin("container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes");
        ForContainers(usages, (pod, container) => text.Sample(
            container.Memory?.WorkingSetBytes, container.Memory?.Time, Labels(pod, container)));
        text.Begin("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds");
        ForContainers(usages, (pod, container) => text.Sample(
            container.StartTime?.ToUnixTimeMilliseconds() / 1000.0, null, Labels(pod, container)));
        text.Begin("pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds");
        ForPods(usages, (pod, statistics) => text.Sample(
            statistics.Cpu?.UsageCoreNanoSeconds / NanoSeconds, statistics.Cpu?.Time, Labels(pod)));
        text.Begin("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes");
        ForPods(usages, (pod, statistics) => text.Sample(
            statistics.Memory?.WorkingSetBytes, statistics.Memory?.Time, Labels(pod)));

        // Newer kubelets say the one, older ones the other; pods that did not answer are no error of the scrape.
        text.Begin("resource_scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise").Sample(0, null);
        text.Begin("scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise").Sample(0, null);
        return text.ToString();
    }

    /// <summary>/metrics/cadvisor: what dashboards ask of it.</summary>
    public static string Cadvisor(IReadOnlyList<PodUsage> usages)
    {
        var text = new MetricsText();
        text.Begin("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.");
        ForContainers(usages, (pod, container) => text.Sample(
            container.Cpu?.UsageCoreNanoSeconds / NanoSeconds, container.Cpu?.Time, LabelsWithImage(pod, container)));
        text.Begin("container_memory_working_set_bytes", "gauge", "Current working set in bytes.");
        ForContainers(usages, (pod, container) => text.Sample(
            container.Memory?.WorkingSetBytes, container.Memory?.Time, LabelsWithImage(pod, container)));
        text.Begin("container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory regardless of when it was accessed.");
        ForContainers(usages, (pod, container) => text.Sample(
            container.Memory?.UsageBytes, container.Memory?.Time, LabelsWithImage(pod, container)));
        text.Begin("container_memory_rss", "gauge", "Size of RSS in bytes.");
        ForContainers(usages, (pod, container) => text.Sample(
            container.Memory?.RssBytes, container.Memory?.Time, LabelsWithImage(pod, container)));
        text.Begin("container_fs_usage_bytes", "gauge", "Number of bytes that are consumed by the container on this filesystem.");
        ForContainers(usages, (pod, container) => text.Sample(
            container.RootFileSystem?.UsedBytes, container.RootFileSystem?.Time, LabelsWithImage(pod, container)));
        text.Begin("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds.");
        ForContainers(usages, (pod, container) => text.Sample(
            container.StartTime?.ToUnixTimeMilliseconds() / 1000.0, null, LabelsWithImage(pod, container)));
        Network(text, usages, "container_network_receive_bytes_total", "Cumulative count of bytes received", each => each.ReceivedBytes);
        Network(text, usages, "container_network_receive_errors_total", "Cumulative count of errors encountered while receiving", each => each.ReceiveErrors);
        Network(text, usages, "container_network_transmit_bytes_total", "Cumulative count of bytes transmitted", each => each.SentBytes);
        Network(text, usages, "container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting", each => each.SendErrors);
        return text.ToString();
    }

    /// <summary>/metrics: what the node itself has to say.</summary>
    public static string Node(IReadOnlyCollection<Pod> pods, string nodeName)
    {
        var text = new MetricsText();
        text.Begin("kubelet_node_name", "gauge", "The node's name. The count is always 1.").Sample(1, null, ("node", nodeName));
        text.Begin("kubelet_running_pods", "gauge", "Number of pods that have a running container")
            .Sample(pods.Count(pod => pod.AllContainerStatuses().Any(status => status.State?.Running is not null)), null);
        text.Begin("kubelet_running_containers", "gauge", "Number of containers by their state");
        foreach (var (state, count) in pods.SelectMany(pod => pod.AllContainerStatuses()).CountBy(State).OrderBy(each => each.Key, StringComparer.Ordinal))
        {
            text.Sample(count, null, ("container_state", state));
        }

        text.Begin("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.")
            .Sample(Environment.CpuUsage.TotalTime.TotalSeconds, null);
        text.Begin("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.").Sample(Environment.WorkingSet, null);
        return text.ToString();
    }

    private static string State(ContainerStatus status) =>
        status.State?.Running is not null ? "running" : status.State?.Terminated is not null ? "exited" : "created";

    private static void Network(
        MetricsText text, IReadOnlyList<PodUsage> usages, string name, string help, Func<InterfaceStatistics, long> counter)
    {
        text.Begin(name, "counter", help);
        ForPods(usages, (pod, statistics) =>
        {
            foreach (var each in statistics.Network?.Interfaces ?? [])
            {
                text.Sample(counter(each), statistics.Network?.Time, [("interface", each.Name), .. Labels(pod)]);
            }
        });
    }

    private static void ForPods(IReadOnlyList<PodUsage> usages, Action<Pod, PodStatistics> write)
    {
        foreach (var usage in usages)
        {
            write(usage.Pod, usage.Statistics);
        }
    }

    private static void ForContainers(IReadOnlyList<PodUsage> usages, Action<Pod, ContainerStatistics> write) =>
        ForPods(usages, (pod, statistics) =>
        {
            foreach (var container in statistics.Containers)
            {
                write(pod, container);
            }
        });

    private static (string, string?)[] Labels(Pod pod) => [("namespace", pod.Metadata.Namespace), ("pod", pod.Metadata.Name)];

    private static (string, string?)[] Labels(Pod pod, ContainerStatistics container) => [("container", container.Name), .. Labels(pod)];

    private static (string, string?)[] LabelsWithImage(Pod pod, ContainerStatistics container)
    {
        var status = pod.FindContainerStatus(container.Name);
        return [("container", container.Name), ("id", status?.ContainerID), ("image", status?.Image), ("name", container.Name), .. Labels(pod)];
    }
}
