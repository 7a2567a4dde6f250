using Kip.Core.Tests.Cells;
using Kip.Drivers;
using Kip.Pacing;
using Kip.Sizing;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Core.Tests.Pacing;

public class PacedDriverTests
{
    private readonly VirtualClock _clock = new();

    [Fact]
    public Task TerminateAsync_OfManyAtOnce_IsOneCall() => _clock.RunAsync(async () =>
    {
        var cloud = new RecordingDriver();
        using var driver = Make(cloud);

        await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => driver.TerminateAsync([$"i-{i}"], default)));
        await driver.TerminateAsync(["i-later"], default);

        Assert.Equal([1000, 1], cloud.Terminations.Select(static ids => ids.Count));
    });

    [Fact]
    public Task TerminateAsync_OfMoreThanOneCallTakes_IsSplitAndPaced() => _clock.RunAsync(async () =>
    {
        var cloud = new RecordingDriver();
        using var driver = Make(cloud, new CallLimits { Terminate = new RateLimit(1, 1), TerminateAtOnce = 10 });

        await driver.TerminateAsync([.. Enumerable.Range(0, 35).Select(static i => $"i-{i}")], default);

        Assert.Equal([10, 10, 10, 5], cloud.Terminations.Select(static ids => ids.Count));
        Assert.Equal(TimeSpan.FromSeconds(3.5), _clock.Elapsed);
    });

    [Fact]
    public Task TerminateAsync_OneThatIsRefused_DoesNotKeepTheOthers() => _clock.RunAsync(async () =>
    {
        var cloud = new RecordingDriver
        {
            OnTerminate = static ids => ids.Contains("i-protected") ? throw new DriverException(DriverErrorKind.Unauthorized, "protected") : Task.CompletedTask,
        };
        using var driver = Make(cloud);

        var others = new[] { "i-1", "i-2" }.Select(id => driver.TerminateAsync([id], default)).ToList();
        var refused = await Assert.ThrowsAsync<DriverException>(() => driver.TerminateAsync(["i-protected"], default));
        await Task.WhenAll(others);

        Assert.Equal("protected", refused.Message);
    });

    [Fact]
    public Task TerminateAsync_ThatIsNeverAnswered_FailsAsTransientForAll() => _clock.RunAsync(async () =>
    {
        var cloud = new RecordingDriver { OnTerminate = _ => Task.Delay(Timeout.InfiniteTimeSpan, _clock) };
        using var driver = Make(cloud);

        var first = driver.TerminateAsync(["i-1"], default);
        var second = await Assert.ThrowsAsync<DriverException>(() => driver.TerminateAsync(["i-2"], default));
        await Assert.ThrowsAsync<DriverException>(() => first);

        Assert.Equal(DriverErrorKind.Transient, second.Kind);
    });

    [Fact]
    public Task TerminateAsync_WithoutLimits_IsPassedOnAtOnce() => _clock.RunAsync(async () =>
    {
        var cloud = new RecordingDriver();
        using var driver = Make(cloud, limits: null);

        await driver.TerminateAsync(["i-1"], default);
        await driver.TerminateAsync([], default);

        Assert.Equal([1, 0], cloud.Terminations.Select(static ids => ids.Count));
        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);
    });

    [Fact]
    public Task ListAsync_Throttled_GoesSlowerForAWhile() => _clock.RunAsync(async () =>
    {
        var throttled = true;
        var cloud = new RecordingDriver { OnList = () => throttled ? throw new DriverException(DriverErrorKind.Throttled, "slower") : Task.CompletedTask };
        using var driver = Make(cloud, new CallLimits { List = new RateLimit(1, 10) });

        await Assert.ThrowsAsync<DriverException>(() => driver.ListAsync(default));
        throttled = false;
        await driver.ListAsync(default);

        Assert.InRange(_clock.Elapsed.TotalSeconds, 1.5, 2.0);
    });

    [Fact]
    public Task ResolveImageAsync_IsAskedOnceAMinute_AndAgainAfterAFailure() => _clock.RunAsync(async () =>
    {
        var fails = true;
        var cloud = new RecordingDriver { OnResolve = () => fails ? throw new DriverException(DriverErrorKind.Transient, "again") : Task.Delay(TimeSpan.FromMilliseconds(100), _clock) };
        using var driver = Make(cloud);

        await Assert.ThrowsAsync<DriverException>(() => driver.ResolveImageAsync("a", default));
        fails = false;
        var images = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => driver.ResolveImageAsync("a", default)));
        Assert.All(images, static image => Assert.Equal("image-a", image));
        Assert.Equal(2, cloud.Resolved);
        Assert.Equal("image-b", await driver.ResolveImageAsync("b", default));

        await Task.Delay(TimeSpan.FromSeconds(61), _clock);
        await driver.ResolveImageAsync("b", default);
        Assert.Equal(4, cloud.Resolved);
    });

    private PacedDriver Make(ICellDriver cloud) => Make(cloud, new CallLimits { Terminate = new RateLimit(5, 100) });

    private PacedDriver Make(ICellDriver cloud, CallLimits? limits)
    {
        ((RecordingDriver)cloud).Limits = limits;
        return new(cloud, TimeSpan.FromMinutes(1), _clock, NullLogger.Instance);
    }

    private sealed class RecordingDriver : ICellDriver
    {
        public List<IReadOnlyCollection<string>> Terminations { get; } = [];

        public Func<IReadOnlyCollection<string>, Task> OnTerminate { get; init; } = static _ => Task.CompletedTask;

        public Func<Task> OnList { get; init; } = static () => Task.CompletedTask;

        public Func<Task> OnResolve { get; init; } = static () => Task.CompletedTask;

        public int Resolved { get; private set; }

        public CallLimits? Limits { get; set; }

        public DriverDescription Description => new("recording", "here", Bench.ControllerId) { Limits = Limits };

        public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public async Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken)
        {
            Resolved++;
            await OnResolve();
            return "image-" + reference;
        }

        public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken)
        {
            await OnList();
            return [];
        }

        public async Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
        {
            lock (Terminations)
            {
                Terminations.Add(instanceIds);
            }

            await OnTerminate(instanceIds).WaitAsync(cancellationToken);
        }
    }
}
