using System.Collections.Concurrent;
using System.Text;
using Kip.Agents;
using Kip.Cells;
using Kip.EndToEnd.Tests.Support;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>Each pod of samples/pods on a cell of its own, compared with what is written beside it.</summary>
public sealed class SampleTests(LocalCells cells) : IClassFixture<LocalCells>
{
    private static readonly string _folder = Path.Combine(Repository.Root, "samples", "pods");

    public static TheoryData<string> Samples() => new(Directory.EnumerateFiles(_folder, "*.yaml")
        .Select(static f => Path.GetFileName(f)).Where(static f => !f.EndsWith(".expect.yaml", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    [KipTheory]
    [MemberData(nameof(Samples))]
    public async Task Sample_OnACell_IsAsItsExpectationSays(string sample)
    {
        var expected = await Expectation.ReadAsync(Path.Combine(_folder, Path.ChangeExtension(sample, ".expect.yaml")));
        var manifest = await Manifest.ReadPodAsync(Path.Combine(_folder, sample), CancellationToken.None);
        Assert.Empty(manifest.Warnings);
        var pod = manifest.Pod;
        PodDefaults.Apply(pod);
        Assert.Empty(PodValidation.Validate(pod));
        pod.Metadata.Namespace = "default";
        pod.Metadata.Uid = Guid.NewGuid().ToString();

        using var patience = new CancellationTokenSource(Wait.Patience);
        var cell = await cells.Manager.RunPodAsync(pod, patience.Token);
        var logs = new ConcurrentDictionary<string, string>();
        var reading = expected.Logs.Select(async log => logs[log.Container] = await ReadAsync(cell, log.Container, patience.Token)).ToList();
        if (expected.WhileRunning is { } running)
        {
            await Wait.UntilAsync(
                $"{sample} to be as whileRunning says",
                () => cell.Status is { } status && Expectation.Differences(running, Json(status)).Count == 0,
                () => Describe(cell.Status, running));
            await cell.StopPodAsync(null, patience.Token);
        }

        var ended = await cell.PodEnded.WaitAsync(patience.Token);
        await Task.WhenAll(reading);

        Assert.True(expected.Ended is null || Expectation.Differences(expected.Ended.Value, Json(ended)).Count == 0, Describe(ended, expected.Ended));
        Assert.All(expected.Logs, log => Assert.True(Expectation.Fits(log.Lines, logs[log.Container]), $"log of {log.Container}:\n{logs[log.Container]}"));
    }

    private static async Task<string> ReadAsync(Cell cell, string container, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = container, Follow = true }, cancellationToken))
        {
            text.Append(Encoding.UTF8.GetString(entry.Data.Span));
        }

        return text.ToString();
    }

    private static System.Text.Json.JsonElement Json(PodStatus status)
    {
        using var document = System.Text.Json.JsonDocument.Parse(KubernetesJson.SerializeToUtf8(status));
        return document.RootElement.Clone();
    }

    private static string Describe(PodStatus? status, System.Text.Json.JsonElement? expected) =>
        status is null ? "there is no status" : $"{string.Join('\n', expected is { } e ? Expectation.Differences(e, Json(status)) : [])}\n{Json(status)}";
}
