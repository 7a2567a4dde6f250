using System.Runtime.CompilerServices;

namespace Kip.Tests.Support;

/// <summary>Waits that say what they waited for.</summary>
internal static class Within
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task<T> Limits<T>(Task<T> task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        await Limits((Task)task, what);
        return await task;
    }

    public static Task<T> Limits<T>(ValueTask<T> task, [CallerArgumentExpression(nameof(task))] string what = "") =>
        Limits(task.AsTask(), what);

    public static async Task Limits(Task task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        try
        {
            await task.WaitAsync(Limit);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            Assert.Fail($"waited {Limit.TotalSeconds} s for: {what}");
        }
    }
}
