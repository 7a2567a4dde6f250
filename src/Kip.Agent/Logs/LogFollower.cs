using Kip.Agent.Status;

namespace Kip.Agent.Logs;

/// <summary>
/// Wakes readers when a container's log directory or the pod's state changes. One for all readers of a directory: the kernel gives a user
/// 128 watchers, and each costs a thread.
/// </summary>
internal sealed class LogFollower : IDisposable
{
    /// <summary>Changes that come past the kernel's notification, if any, are found after this time.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>How often is looked where the kernel gives no watcher any more.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ReopenTime = TimeSpan.FromMilliseconds(50);
    private readonly Lock _lock = new();
    private readonly StatusBoard _board;
    private readonly TimeProvider _time;
    private readonly FileSystemWatcher _watcher;
    private readonly TimeSpan _patience = Patience;
    private TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LogFollower(StatusBoard board, string directory, TimeProvider time)
    {
        (_board, _time) = (board, time);
        // It may not be there before the first container is.
        Directory.CreateDirectory(directory);
        _watcher = new FileSystemWatcher(directory) { NotifyFilter = NotifyFilters.LastWrite | NotifyFilters.FileName };
        _watcher.Changed += (_, _) => Signal();
        _watcher.Created += (_, _) => Signal();
        _watcher.Renamed += (_, _) => Signal();
        try
        {
            _watcher.EnableRaisingEvents = true;
        }
        catch (IOException)
        {
            _patience = LookInterval;
        }
    }

    /// <summary>Completes at the first change after this property was read.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return Task.WhenAny(_written.Task, _board.Changed, Task.Delay(_patience, _time, CancellationToken.None));
            }
        }
    }

    /// <summary>Gives the runtime the time to turn to a new file.</summary>
    public Task SettleAsync(CancellationToken cancellationToken) => Task.Delay(ReopenTime, _time, cancellationToken);

    public void Dispose() => _watcher.Dispose();

    private void Signal()
    {
        lock (_lock)
        {
            _written.TrySetResult();
            _written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
