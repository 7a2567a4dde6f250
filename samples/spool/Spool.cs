using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Samples.Spool;

/// <summary>Runs what lies in a folder. The folder is the truth: a manifest without its <c>.end</c> file is a pod that has not ended.</summary>
internal sealed class Spool(string folder, TimeProvider time)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    public async Task RunAsync(CellManager manager, CancellationToken cancellationToken)
    {
        var running = new Dictionary<string, Task>(StringComparer.Ordinal);
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var name in Directory.EnumerateFiles(folder, "*.yaml").Select(static f => Path.GetFileNameWithoutExtension(f)))
            {
                if (!File.Exists(PathOf(name, "end")) && (!running.TryGetValue(name, out var task) || task.IsCompleted))
                {
                    running[name] = RunAsync(name, manager, cancellationToken);
                }
            }

            await Task.Delay(LookInterval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await Task.WhenAll(running.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // each has told of its own failure
    }

    public async Task WriteEndAsync(Cell cell)
    {
        var end = await cell.PodEnded.ConfigureAwait(false);
        var codes = end.ContainerStatuses?.Select(static c => $"{c.Name}: {c.State?.Terminated?.ExitCode.ToString(CultureInfo.InvariantCulture) ?? "?"}") ?? [];
        await WriteEndAsync(cell.Pod.Name, string.Join(' ', [end.Phase, end.Reason, end.Message, .. codes])).ConfigureAwait(false);
    }

    private async Task RunAsync(string name, CellManager manager, CancellationToken cancellationToken)
    {
        try
        {
            var pod = await ReadAsync(name, cancellationToken).ConfigureAwait(false);
            var cell = await manager.RunPodAsync(pod, cancellationToken).ConfigureAwait(false);
            Say($"{name}: {cell.Record.Id} ({cell.Record.InstanceType}, {cell.Record.PricePerHour} $/hour)");
            await WriteLogAsync(cell, pod.Spec.Containers[0].Name!, cancellationToken).ConfigureAwait(false);
            await cell.Gone.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ManifestException or CellException)
        {
            await WriteEndAsync(name, $"Refused {e.Message}").ConfigureAwait(false); // it would be refused again
        }
        catch (Exception e) when (e is DriverException or CellConflictException or AgentException or IOException)
        {
            Say($"{name}: {e.Message}; it is tried again");
        }
    }

    private async Task<Pod> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var pod = (await Manifest.ReadPodAsync(PathOf(name, "yaml"), cancellationToken).ConfigureAwait(false)).Pod;
        pod.Metadata.Name = name;
        PodDefaults.Apply(pod);
        // The same file has the same UID in every process, and a UID has one cell: this is all that a restart needs.
        pod.Metadata.Uid = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(PathOf(name, "yaml"))).AsSpan(0, 16)).ToString();
        return PodValidation.Validate(pod) is { Count: > 0 } errors ? throw new CellException("InvalidPod", string.Join("; ", errors)) : pod;
    }

    private async Task WriteLogAsync(Cell cell, string container, CancellationToken cancellationToken)
    {
        // All of it each time, for the process before this one may have written less; line by line, for somebody may be reading.
        await using var file = new FileStream(PathOf(cell.Pod.Name, "log"), FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = container, Follow = true }, cancellationToken).ConfigureAwait(false))
        {
            await file.WriteAsync(entry.Data, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WriteEndAsync(string name, string how)
    {
        await File.WriteAllTextAsync(PathOf(name, "end.new"), how + "\n").ConfigureAwait(false);
        File.Move(PathOf(name, "end.new"), PathOf(name, "end"), overwrite: true);
        Say($"{name}: {how}");
    }

    private string PathOf(string name, string extension) => Path.Combine(folder, $"{name}.{extension}");

    private void Say(string text) => Console.WriteLine($"{time.GetLocalNow():HH:mm:ss} {text}");
}
