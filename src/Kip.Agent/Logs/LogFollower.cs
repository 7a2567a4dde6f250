using Kip.Agent.Status;

namespace Kip.Agent.Logs;

/// <summary>Wakes the readers of a log file when it is not as it was: longer, shorter, another one, come or gone; or when the pod's state has changed.</summary>
internal sealed class LogFollower(StatusBoard board, string path)
{
    private readonly Lock _lock = new();
    private (long Length, DateTime Written) _seen = Measure(path);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes at the first change after this property was read.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return Task.WhenAny(_changed.Task, board.Changed);
            }
        }
    }

    /// <summary>Looks at the file; true when it has changed since the last time.</summary>
    public bool Look()
    {
        var now = Measure(path);
        lock (_lock)
        {
            if (now == _seen)
            {
                return false;
            }

            _seen = now;
            _changed.SetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
    }

    private static (long Length, DateTime Written) Measure(string path) =>
        new FileInfo(path) is { Exists: true } file ? (file.Length, file.LastWriteTimeUtc) : (-1, default);
}
