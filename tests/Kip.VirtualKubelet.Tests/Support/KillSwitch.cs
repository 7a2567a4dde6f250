using System.Reflection;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;

namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>
/// Ends a host as kill -9 does, at a step that is counted: from then on nothing that it does reaches store, cloud, agent or API server, and
/// no answer reaches it. Each call that changes something has two steps: just before its effect, and after it, before the host knows.
/// </summary>
internal sealed class KillSwitch(int atStep) : ICallInterceptor, IAsyncDisposable
{
    private readonly TaskCompletionSource<string> _killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ended = new();
    private int _steps;

    /// <summary>Completes with the step at which the host was killed; cancelled when it was not.</summary>
    public Task<string> Killed => _killed.Task;

    /// <summary>The same object, whose calls are steps.</summary>
    public T Guard<T>(T target)
        where T : class => GuardProxy<T>.Wrap(target, this);

    /// <summary>Lets go of what hangs in the dead host; of one that lives nothing counts any more.</summary>
    public async ValueTask DisposeAsync()
    {
        _killed.TrySetCanceled();
        await _ended.CancelAsync();
    }

    public async Task<TResult> RunAsync<TResult>(string what, bool isStep, Func<Task<TResult>> call)
    {
        await PassAsync("before " + what, isStep);
        var result = await call();
        await PassAsync("after " + what, isStep);

        // What is got by a call is another way out.
        return result is ICellAgent agent ? (TResult)Guard(agent) : result;
    }

    private async Task PassAsync(string what, bool counts)
    {
        if (counts && Interlocked.Increment(ref _steps) == atStep)
        {
            _killed.TrySetResult(what);
        }

        if (_killed.Task.IsCompletedSuccessfully)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _ended.Token);
        }
    }
}

/// <summary>Passes calls on through a <see cref="KillSwitch"/>.</summary>
#pragma warning disable CA1852 // DispatchProxy derives from it at run time.
internal class GuardProxy<T> : DispatchProxy
#pragma warning restore CA1852
    where T : class
{
    private static readonly HashSet<string> _effects =
    [
        nameof(ICellStore.AddAsync), nameof(ICellStore.UpdateAsync), nameof(ICellStore.DeleteAsync),
        nameof(ICellDriver.LaunchAsync), nameof(ICellDriver.TerminateAsync),
        nameof(ICellAgentConnector.ConnectAsync), nameof(ICellAgent.ApplyPodAsync), nameof(ICellAgent.StopPodAsync),
    ];

    private static readonly MethodInfo _passOn = typeof(GuardProxy<T>).GetMethod(nameof(PassOnAsync), BindingFlags.NonPublic | BindingFlags.Instance)!;

    private T _target = null!;
    private KillSwitch _kill = null!;

    public static T Wrap(T target, KillSwitch kill)
    {
        var proxy = Create<T, GuardProxy<T>>();
        var self = (GuardProxy<T>)(object)proxy;
        (self._target, self._kill) = (target, kill);
        return proxy;
    }

    protected override object? Invoke(MethodInfo? method, object?[]? arguments)
    {
        ArgumentNullException.ThrowIfNull(method);
        var returns = method.ReturnType;
        return returns == typeof(Task) ? PassOnAsync<bool>(method, arguments)
            : returns.IsGenericType && returns.GetGenericTypeDefinition() == typeof(Task<>)
                ? _passOn.MakeGenericMethod(returns.GetGenericArguments()).Invoke(this, [method, arguments])
            : Call(method, arguments);
    }

    private Task<TResult> PassOnAsync<TResult>(MethodInfo method, object?[]? arguments) =>
        _kill.RunAsync($"{method.Name} of {typeof(T).Name}", _effects.Contains(method.Name), async () =>
        {
            var task = (Task)Call(method, arguments)!;
            await task;
            return task is Task<TResult> answer ? await answer : default!;
        });

    private object? Call(MethodInfo method, object?[]? arguments) => method.Invoke(_target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
}
