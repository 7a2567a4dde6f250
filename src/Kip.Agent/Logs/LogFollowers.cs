using Kip.Agent.Status;

namespace Kip.Agent.Logs;

/// <summary>The followers of log directories, each shared by all who read there.</summary>
internal sealed class LogFollowers(StatusBoard board, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (LogFollower Follower, int Users)> _followers = new(StringComparer.Ordinal);

    /// <summary>Follows a directory until what this returns is disposed of.</summary>
    public Share Follow(string directory)
    {
        lock (_lock)
        {
            var (follower, users) = _followers.GetValueOrDefault(directory);
            follower ??= new LogFollower(board, directory, time);
            _followers[directory] = (follower, users + 1);
            return new Share(this, directory, follower);
        }
    }

    private void Release(string directory)
    {
        lock (_lock)
        {
            var (follower, users) = _followers[directory];
            if (users > 1)
            {
                _followers[directory] = (follower, users - 1);
                return;
            }

            _followers.Remove(directory);
            follower.Dispose();
        }
    }

    /// <summary>One reader's part.</summary>
    public sealed class Share(LogFollowers owner, string directory, LogFollower follower) : IDisposable
    {
        public LogFollower Follower => follower;

        public void Dispose() => owner.Release(directory);
    }
}
