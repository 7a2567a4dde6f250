using System.ComponentModel;
using System.Diagnostics;
using Kip.Agent.Status;
using Kip.Grpc;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Runtime;

/// <summary>
/// Imports image archives through <c>ctr</c>, since CRI has no call for it. Whoever needs an image waits for <see cref="Done"/>.
/// </summary>
internal sealed partial class ImageArchives(
    IReadOnlyList<string> archives, string socket, ICriRuntime runtime, Task runtimeAnswers, TimeProvider time, ILogger<ImageArchives> logger)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes, never with an error, when every archive is imported or has failed.</summary>
    public Task Done => _done.Task;

    /// <summary>Waits for the runtime, then imports all archives at once.</summary>
    public async Task RunAsync(StatusBoard board, CancellationToken cancellationToken)
    {
        try
        {
            if (archives.Count > 0)
            {
                await runtimeAnswers.WaitAsync(cancellationToken);
                await Task.WhenAll(archives.Select(archive => ImportAsync(archive, board, cancellationToken)));
            }
        }
        finally
        {
            _done.TrySetResult();
        }
    }

    private async Task ImportAsync(string archive, StatusBoard board, CancellationToken cancellationToken)
    {
        var name = Path.GetFileName(archive);
        var started = time.GetTimestamp();
        try
        {
            var images = await RunCtrAsync(archive, cancellationToken);
            foreach (var image in images)
            {
                await WaitForImageAsync(image, cancellationToken);
            }

            Imported(name, string.Join(", ", images), (long)time.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e) when (e is IOException or Win32Exception or RpcException)
        {
            Failed(e, name);
            board.Event("Warning", "Failed", $"Failed to import image archive {name}: {e.Message}");
        }
    }

    /// <returns>The names of the images in the archive.</returns>
    private async Task<List<string>> RunCtrAsync(string archive, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("ctr") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["-a", socket, "-n", "k8s.io", "images", "import", "--all-platforms", archive])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start) ?? throw new IOException("ctr did not start");
        try
        {
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? Names(output)
                : throw new IOException($"ctr exited with {process.ExitCode}: {(await errors).Trim()}");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    // ctr prints "unpacking NAME (DIGEST)...done" for each image.
    private static List<string> Names(string output) =>
        [.. output.Split('\n')
            .Where(line => line.StartsWith("unpacking ", StringComparison.Ordinal))
            .Select(line => line.Split(' ')[1])
            .Distinct()];

    /// <summary>CRI learns of an image that came past it through an event, some milliseconds later.</summary>
    private async Task WaitForImageAsync(string image, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var delay = TimeSpan.FromMilliseconds(5);
        while (await runtime.ImageStatusAsync(image, cancellationToken) is null)
        {
            if (time.GetElapsedTime(started) > TimeSpan.FromSeconds(10))
            {
                throw new IOException($"the runtime did not take notice of image {image} within 10 s");
            }

            await Task.Delay(delay, time, cancellationToken);
            delay = delay * 2 < TimeSpan.FromMilliseconds(200) ? delay * 2 : delay;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Imported {Archive} ({Images}) in {Milliseconds} ms")]
    private partial void Imported(string archive, string images, long milliseconds);

    [LoggerMessage(2, LogLevel.Error, "Cannot import {Archive}")]
    private partial void Failed(Exception exception, string archive);
}
