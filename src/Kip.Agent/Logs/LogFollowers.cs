using Kip.Agent.Status;

namespace Kip.Agent.Logs;

/// <summary>
/// Looks at the followed log files, each for all its readers: 10 ms after it found something new, less and less often while it does not. The
/// kernel's own notification comes with each write of a container, 100,000 times a second, and slows down whoever writes.
/// </summary>
internal sealed class LogFollowers(StatusBoard board, TimeProvider time)
{
    private static readonly TimeSpan Soonest = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Latest = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (LogFollower Follower, int Users)> _followers = new(StringComparer.Ordinal);
    private bool _isLooking;

    /// <summary>Follows a file, which need not be there yet, until what this returns is disposed of.</summary>
    public Share Follow(string path)
    {
        lock (_lock)
        {
            var (follower, users) = _followers.GetValueOrDefault(path);
            follower ??= new LogFollower(board, path);
            _followers[path] = (follower, users + 1);
            if (!_isLooking)
            {
                _isLooking = true;
                _ = LookAsync();
            }

            return new Share(this, path, follower);
        }
    }

    /// <summary>Ends when there is nobody any more to look for.</summary>
    private async Task LookAsync()
    {
        using var timer = new PeriodicTimer(Soonest, time);
        while (await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            lock (_lock)
            {
                if (_followers.Count == 0)
                {
                    _isLooking = false;
                    return;
                }

                var isChanged = false;
                foreach (var (follower, _) in _followers.Values)
                {
                    isChanged |= follower.Look();
                }

                timer.Period = isChanged ? Soonest : timer.Period * 2 < Latest ? timer.Period * 2 : Latest;
            }
        }
    }

    private void Release(string path)
    {
        lock (_lock)
        {
            var (follower, users) = _followers[path];
            if (users > 1)
            {
                _followers[path] = (follower, users - 1);
                return;
            }

            _followers.Remove(path);
        }
    }

    /// <summary>One reader's part.</summary>
    public sealed class Share(LogFollowers owner, string path, LogFollower follower) : IDisposable
    {
        public LogFollower Follower => follower;

        public void Dispose() => owner.Release(path);
    }
}
