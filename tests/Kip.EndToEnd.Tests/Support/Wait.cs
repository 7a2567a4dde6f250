using System.Diagnostics;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>Waiting without guessing how long things take.</summary>
internal static class Wait
{
    /// <summary>Far longer than anything takes, also on a busy machine: only a hang gets this far.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    public static async Task UntilAsync(string what, Func<Task<bool>> condition, Func<string>? state = null)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Patience)
            {
                throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for: {what}\n{state?.Invoke()}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, CancellationToken.None);
        }
    }

    public static Task UntilAsync(string what, Func<bool> condition, Func<string>? state = null) =>
        UntilAsync(what, () => Task.FromResult(condition()), state);
}
