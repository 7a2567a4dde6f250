using System.Globalization;
using System.Text;

namespace Kip.Host.Terminal;

/// <summary>
/// Standard output for the pod's log, standard error for what Kip says. On a terminal, stderr ends with one live line that is drawn
/// again as time passes; whatever else is written goes above it.
/// </summary>
internal sealed class Screen : IAsyncDisposable
{
    private static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly Stream _error = Console.OpenStandardError();
    private readonly TimeProvider _time;
    private readonly bool _live;
    private readonly bool _sharedTerminal;
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _drawing;
    private bool _drawn;
    private bool _midLine;
    private (string Text, long Since)? _activity;

    public Screen(TimeProvider time)
    {
        _time = time;
        _live = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb");
        _sharedTerminal = _live && !Console.IsOutputRedirected;
        _drawing = _live ? DrawAsync() : Task.CompletedTask;
    }

    /// <summary>What is being waited for now; null for nothing.</summary>
    public void SetActivity(string? text)
    {
        lock (_lock)
        {
            _activity = text is null ? null : (text, _time.GetTimestamp());
            Clear();
            Draw();
        }
    }

    /// <summary>One line on stderr.</summary>
    public void Say(string line)
    {
        lock (_lock)
        {
            Clear();
            if (_midLine && _sharedTerminal)
            {
                Error("\n");
                _midLine = false;
            }

            Error(line + "\n");
            Draw();
        }
    }

    /// <summary>Bytes of the pod's log, as they are.</summary>
    public void Write(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            Clear();
            _output.Write(prefix);
            _output.Write(data);
            _output.Flush();
            _midLine = data.Length > 0 && data[^1] != (byte)'\n';
            Draw();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync().ConfigureAwait(false);
        await _drawing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            Clear();
        }

        _closing.Dispose();
    }

    private async Task DrawAsync()
    {
        using var timer = new PeriodicTimer(Frame, _time);
        while (await timer.WaitForNextTickAsync(_closing.Token).ConfigureAwait(false))
        {
            lock (_lock)
            {
                Clear();
                Draw();
            }
        }
    }

    private void Clear()
    {
        if (_drawn)
        {
            Error("\r\u001b[K");
            _drawn = false;
        }
    }

    private void Draw()
    {
        // Never behind an unfinished line of the pod's own.
        if (_live && _activity is { } activity && !(_midLine && _sharedTerminal))
        {
            var elapsed = _time.GetElapsedTime(activity.Since).TotalSeconds;
            Error(string.Create(CultureInfo.InvariantCulture, $"\u001b[2m  {activity.Text} … {elapsed:0.0} s\u001b[0m"));
            _drawn = true;
        }
    }

    private void Error(string text) => _error.Write(Encoding.UTF8.GetBytes(text));
}
