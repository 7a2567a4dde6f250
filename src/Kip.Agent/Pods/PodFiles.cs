using System.Text;
using Kip.Agent.Runtime.Cri;
using Kip.Agent.State;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Pods;

/// <summary>The files that the kubelet mounts into every container: /etc/hosts and the termination message.</summary>
internal sealed class PodFiles(StateDirectory state)
{
    private const string HostsFile = "/etc/hosts";
    private const int MaximumMessage = 4096;
    private const UnixFileMode Writable = AtomicFile.Public | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Writes the files of one run and says how to mount them.</summary>
    public List<Mount> Prepare(Pod pod, Container container, uint attempt, string podIP)
    {
        var mounts = new List<Mount>();
        var directory = state.PodFiles(PodIdentity.Uid(pod));
        // On the cell's network the cell's own file serves, unless the pod has something to add.
        var hasHosts = pod.Spec.HostNetwork != true || pod.Spec.HostAliases is { Count: > 0 };
        if (hasHosts && container.VolumeMounts?.Exists(mount => mount.MountPath == HostsFile) != true)
        {
            var hosts = Path.Combine(directory, "etc-hosts");
            // In place: containers that run already have this very file mounted.
            File.WriteAllText(hosts, Hosts(pod, podIP));
            File.SetUnixFileMode(hosts, AtomicFile.Public);
            mounts.Add(new Mount { ContainerPath = HostsFile, HostPath = hosts, Readonly = container.SecurityContext?.ReadOnlyRootFilesystem == true });
        }

        if (container.TerminationMessagePath is { Length: > 0 } path)
        {
            var message = MessageFile(pod, container.Name, attempt);
            File.WriteAllBytes(message, []);
            File.SetUnixFileMode(message, Writable);
            mounts.Add(new Mount { ContainerPath = path, HostPath = message });
        }

        return mounts;
    }

    /// <summary>What the container left in its termination message file, of a long one the end; null when nothing.</summary>
    public string? TerminationMessage(Pod pod, string container, uint attempt)
    {
        var path = MessageFile(pod, container, attempt);
        if (!File.Exists(path))
        {
            return null;
        }

        using var stream = File.OpenRead(path);
        stream.Position = Math.Max(0, stream.Length - MaximumMessage);
        var buffer = new byte[MaximumMessage];
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return length > 0 ? Encoding.UTF8.GetString(buffer, 0, length) : null;
    }

    /// <summary>Forgets the last words of a run.</summary>
    public void Forget(Pod pod, string container, uint attempt) => File.Delete(MessageFile(pod, container, attempt));

    private static string Hosts(Pod pod, string podIP)
    {
        var text = new StringBuilder(pod.Spec.HostNetwork == true ? HostsOfCell() : """
            # Written by the Kip agent.
            127.0.0.1	localhost
            ::1	localhost ip6-localhost ip6-loopback
            fe00::0	ip6-localnet
            fe00::1	ip6-allnodes
            fe00::2	ip6-allrouters

            """);
        if (pod.Spec.HostNetwork != true)
        {
            string?[] names = [PodHostname.FullyQualified(pod), PodHostname.Short(pod)];
            text.Append(podIP).Append('\t').AppendJoin('\t', names.Where(name => name is not null)).Append('\n');
        }

        foreach (var alias in pod.Spec.HostAliases ?? [])
        {
            text.Append(alias.Ip).Append('\t').AppendJoin('\t', alias.Hostnames ?? []).Append('\n');
        }

        return text.ToString();
    }

    private static string HostsOfCell() => File.Exists(HostsFile) ? File.ReadAllText(HostsFile).TrimEnd('\n') + "\n" : "";

    private string MessageFile(Pod pod, string container, uint attempt) =>
        Path.Combine(state.PodFiles(PodIdentity.Uid(pod)), $"termination-{container}-{attempt}");
}
