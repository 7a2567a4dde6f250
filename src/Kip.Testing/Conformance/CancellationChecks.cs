using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>Cancelled calls end promptly, and a cancelled launch leaves nothing that its token does not find.</summary>
internal static class CancellationChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Cancellation_BeforeTheCall_IsHonoured", "A call whose token is cancelled already throws OperationCanceledException and does nothing.", BeforeAsync),
        DriverConformance.Make("Cancellation_DuringTheCall_IsHonouredPromptly", "A call that is cancelled on its way ends promptly.", DuringAsync),
        DriverConformance.Make("Cancellation_OfLaunch_SettlesToOneInstance", "After a cancelled launch the same token makes at most one instance, and finds it.", LaunchAsync),
    ];

    private static async Task BeforeAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        await AssertCanceledAsync("GetCatalogAsync", driver.GetCatalogAsync);
        await AssertCanceledAsync("ResolveImageAsync", token => driver.ResolveImageAsync("", token));
        await AssertCanceledAsync("LaunchAsync", token => driver.LaunchAsync(request, token));
        await AssertCanceledAsync("ListAsync", driver.ListAsync);
        await AssertCanceledAsync("TerminateAsync", token => driver.TerminateAsync(["unknown"], token));
        var list = await context.ListAsync(driver);
        Check(list.Count == 0, Rules.Cancellation, "nothing was launched", () => string.Join("; ", list.Select(Describe)));

        async Task AssertCanceledAsync(string what, Func<CancellationToken, Task> call)
        {
            var ended = await EndAsync(context, what, call(source.Token));
            Check(ended is OperationCanceledException, Rules.Cancellation, $"OperationCanceledException from {what}", ended is null ? "it succeeded" : $"{ended.GetType().Name}: {ended.Message}");
        }
    }

    private static async Task DuringAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var request = await context.MakeRequestAsync(driver);
        await CancelAsync(context, "GetCatalogAsync", driver.GetCatalogAsync, TimeSpan.FromMilliseconds(1));
        await CancelAsync(context, "ListAsync", driver.ListAsync, TimeSpan.FromMilliseconds(1));
        await CancelAsync(context, "LaunchAsync", token => driver.LaunchAsync(request, token), TimeSpan.FromMilliseconds(1));
        await CancelAsync(context, "TerminateAsync", token => driver.TerminateAsync(["unknown"], token), TimeSpan.FromMilliseconds(1));
    }

    private static async Task LaunchAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        foreach (var milliseconds in new[] { 0.2, 1, 5, 20, 60, 80, 150, 500 })
        {
            var request = await context.MakeRequestAsync(driver);
            await CancelAsync(context, "LaunchAsync", token => driver.LaunchAsync(request, token), TimeSpan.FromMilliseconds(milliseconds));
            var instance = await context.LaunchAsync(context.MakeDriver(), request);
            var cellId = request.Tags[InstanceTags.CellId];
            await context.WaitForAsync(driver, instance.Id, _ => true, Rules.ListComplete, "is listed");
            var same = (await context.ListAsync(driver)).Where(other => other.Tags.GetValueOrDefault(InstanceTags.CellId) == cellId).ToList();
            Check(same.Count == 1, Rules.Token, $"one instance after a launch that was cancelled after {milliseconds} ms", () => string.Join("; ", same.Select(Describe)));
            await context.TerminateAsync(driver, instance.Id);
        }

        await context.WatchAsync(async () =>
        {
            var list = await context.ListAsync(driver);
            var twice = list.GroupBy(instance => instance.Tags.GetValueOrDefault(InstanceTags.CellId)).Where(group => group.Count() > 1).SelectMany(group => group).ToList();
            Check(twice.Count == 0, Rules.Token, "one instance for each token", () => string.Join("; ", twice.Select(Describe)));
        });
    }

    private static async Task CancelAsync(CheckContext context, string what, Func<CancellationToken, Task> call, TimeSpan after)
    {
        using var source = new CancellationTokenSource(after, context.Clock);
        var task = call(source.Token);
        var ended = await EndAsync(context, what, task, after);
        Check(
            ended is null or OperationCanceledException or DriverException,
            Rules.Failures, $"{what} ends with OperationCanceledException, DriverException or an answer", () => $"{ended!.GetType().Name}: {ended.Message}");
    }

    /// <summary>How a cancelled call ended: null with an answer.</summary>
    private static async Task<Exception?> EndAsync(CheckContext context, string what, Task task, TimeSpan after = default)
    {
        var patience = after + context.Options.CancellationTimeout;
        if (await Task.WhenAny(task, Task.Delay(patience, context.Clock, context.CancellationToken)) != task)
        {
            // What ends at the last moment has ended in time, and its thread may need a moment to say so.
            await context.PauseAsync();
        }

        if (!task.IsCompleted)
        {
            throw new DriverConformanceException(Rules.Cancellation, $"{what} ends within {context.Options.CancellationTimeout} of its cancellation", "it does not");
        }

        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return task.IsCanceled ? new OperationCanceledException() : task.Exception?.InnerException;
    }
}
