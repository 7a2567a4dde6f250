using System.Text;
using Kip.Agent.Logs;
using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes.Objects;
using Container = Kip.Kubernetes.Objects.Container;
using ContainerStatus = Kip.Agent.Runtime.Cri.ContainerStatus;

namespace Kip.Agent.Pods;

/// <summary>
/// The message of a container that has ended, as the kubelet puts it together: what the runtime says, then what the container left in its
/// file, or, if it asks for that, failed and left nothing, the end of its log.
/// </summary>
internal sealed class LastWords(PodFiles files, Cell cell)
{
    private const int MostLogLines = 80;
    private const int MostLogBytes = 2048;
    private const int MostCharacters = 4096;

    /// <summary>Null when there is nothing to say.</summary>
    public string? Of(Pod pod, Container container, uint attempt, ContainerStatus status)
    {
        var own = files.TerminationMessage(pod, container.Name, attempt) ?? (AsksLog(container, status) ? EndOfLog(pod, container, attempt) : null);
        var message = status.Message.Length == 0 ? own : own is null ? status.Message : $"{status.Message}: {own}";
        return message is null || message.Length <= MostCharacters ? message : message[^MostCharacters..];
    }

    /// <summary>Whether the log is asked for and the runtime has not written all of it yet.</summary>
    public bool MayCome(Pod pod, Container container, uint attempt, ContainerStatus status) =>
        AsksLog(container, status)
        && files.TerminationMessage(pod, container.Name, attempt) is null
        && LogWriters.Any(LogFiles.Current(PodIdentity.LogDirectory(cell.LogDirectory, pod), container.Name, attempt));

    private static bool AsksLog(Container container, ContainerStatus status) =>
        container.TerminationMessagePolicy == "FallbackToLogsOnError" && status.ExitCode != 0 && status.Reason != "StartError";

    private string? EndOfLog(Pod pod, Container container, uint attempt)
    {
        var current = LogFiles.Current(PodIdentity.LogDirectory(cell.LogDirectory, pod), container.Name, attempt);
        List<string> all = [.. LogFiles.AllRotated(current), current];
        var (first, offset) = LogTail.Find(all, MostLogLines);
        var end = Array.Empty<byte>();
        foreach (var path in all.Skip(first))
        {
            using var lines = LogLines.TryOpen(path, offset);
            offset = 0;
            while (lines?.Next(0, many: true) is { } chunk)
            {
                end = [.. end, .. chunk.Data.Span];
                end = end.Length > MostLogBytes ? end[^MostLogBytes..] : end;
            }
        }

        return end.Length > 0 ? Encoding.UTF8.GetString(end) : null;
    }
}
