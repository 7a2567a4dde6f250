using System.Runtime.CompilerServices;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agent.Logs;

/// <summary>Answers ReadLogs from the files that the runtime writes.</summary>
internal sealed class LogReader(StatusBoard board, TimeProvider time)
{
    private const long NanosecondsPerMillisecond = 1_000_000;
    private static readonly TimeSpan DrainPause = TimeSpan.FromMilliseconds(5);

    // A container may leave its output to a process that outlives it; nobody waits for that for ever.
    private static readonly TimeSpan MostTimeToDrain = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ReopenTime = TimeSpan.FromMilliseconds(50);

    private readonly LogFollowers _followers = new(board, time);

    /// <summary>The log, oldest first.</summary>
    /// <exception cref="RpcException">NotFound: no such pod, container or earlier run. FailedPrecondition: it has not run yet.</exception>
    public async IAsyncEnumerable<LogChunk> ReadAsync(
        ReadLogsRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var container = Find(request);
        var run = FirstRun(request, container);
        var follow = request.Follow && !request.Previous;
        var since = request.SinceUnixMs * NanosecondsPerMillisecond;
        var tail = request.TailLines;
        while (true)
        {
            await foreach (var chunk in ReadRunAsync(request, run, tail, since, follow, cancellationToken))
            {
                yield return chunk;
            }

            if (!follow || !await NextRunAsync(request, run, cancellationToken))
            {
                yield break;
            }

            run++;
            tail = -1;
        }
    }

    private async IAsyncEnumerable<LogChunk> ReadRunAsync(
        ReadLogsRequest request,
        int run,
        long tail,
        long since,
        bool follow,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (follow && !await NextRunAsync(request, run - 1, cancellationToken))
        {
            yield break;
        }

        var current = LogFiles.Current(board.View.LogDirectory, request.Container, (uint)run);
        using var share = follow ? _followers.Follow(current) : null;
        var follower = share?.Follower;
        var rotated = LogFiles.AllRotated(current);
        List<string> files = [.. rotated, current];
        var (index, offset) = tail >= 0 ? LogTail.Find(files, tail) : (0, 0);
        var newest = rotated.LastOrDefault() ?? current;
        long? ended = null;
        for (; index < files.Count; index++)
        {
            using var lines = await OpenAsync(files[index], offset, follower, () => IsOver(request, run), cancellationToken);
            offset = 0;
            var last = index == files.Count - 1;
            while (lines is not null)
            {
                // In this order: what was written before the run was over is read after it.
                var ending = follower is not null && last && IsOver(request, run);
                ended ??= ending ? time.GetTimestamp() : null;
                var over = ending && (time.GetElapsedTime(ended!.Value) > MostTimeToDrain || !LogWriters.Any(files[index]));
                var changed = ending ? Task.Delay(DrainPause, time, cancellationToken) : follower?.Changed;
                while (lines.Next(since, request.Many) is { } chunk)
                {
                    yield return chunk;
                }

                if (!last || follower is null)
                {
                    break;
                }

                var moved = LogFiles.AllRotated(current).Where(path => string.CompareOrdinal(path, newest) > 0).ToList();
                if (moved.Count > 0)
                {
                    // The open file is now the first of these. The runtime may write a little more before it turns to the new one.
                    await SettleAsync(moved[0], cancellationToken);
                    while (lines.Next(since, request.Many) is { } chunk)
                    {
                        yield return chunk;
                    }

                    newest = moved[^1];
                    files.AddRange([.. moved.Skip(1), current]);
                    break;
                }

                if (over)
                {
                    break;
                }

                await changed!.WaitAsync(cancellationToken);
            }
        }
    }

    /// <summary>The file, once it is there; null when it will not come.</summary>
    private static async Task<LogLines?> OpenAsync(
        string path, long offset, LogFollower? follower, Func<bool> isOver, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = follower?.Changed;
            var over = isOver();
            if (LogLines.TryOpen(path, offset) is { } lines)
            {
                return lines;
            }

            if (follower is null || over)
            {
                return null;
            }

            await changed!.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until nobody writes to a file that rotation has renamed.</summary>
    private async Task SettleAsync(string path, CancellationToken cancellationToken)
    {
        var begin = time.GetTimestamp();
        do
        {
            await Task.Delay(ReopenTime, time, cancellationToken);
        }
        while (time.GetElapsedTime(begin) < MostTimeToDrain && LogWriters.Any(path));
    }

    /// <summary>Waits for the run after this one; false when there will be none.</summary>
    private async Task<bool> NextRunAsync(ReadLogsRequest request, int run, CancellationToken cancellationToken)
    {
        while (true)
        {
            var changed = board.Changed;
            var container = Find(request);
            if (container.Runs > run + 1)
            {
                return true;
            }

            if (container.Final)
            {
                return false;
            }

            await changed.WaitAsync(cancellationToken);
        }
    }

    private bool IsOver(ReadLogsRequest request, int run) => Find(request) is var container && (container.Runs > run + 1 || container.Final);

    private static int FirstRun(ReadLogsRequest request, ContainerView container)
    {
        if (request.Previous)
        {
            return container.Runs >= 2
                ? container.Runs - 2
                : throw new RpcException(StatusCode.NotFound, $"container {container.Name} has no earlier run");
        }

        return container.Runs > 0 || request.Follow
            ? Math.Max(0, container.Runs - 1)
            : throw new RpcException(StatusCode.FailedPrecondition, $"container {container.Name} is waiting to start");
    }

    private ContainerView Find(ReadLogsRequest request)
    {
        var view = board.View;
        if (view.PodUid.Length == 0 || view.PodUid != request.PodUid)
        {
            throw new RpcException(StatusCode.NotFound, $"the cell does not have pod {request.PodUid}");
        }

        foreach (var container in view.Containers)
        {
            if (container.Name == request.Container)
            {
                return container;
            }
        }

        var known = string.Join(", ", view.Containers.Select(container => container.Name));
        throw new RpcException(StatusCode.NotFound, $"the pod has no container '{request.Container}', only {known}");
    }
}
