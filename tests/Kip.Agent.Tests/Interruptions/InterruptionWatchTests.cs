using Kip.Agent.Interruptions;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Agent.Tests.Interruptions;

public sealed class InterruptionWatchTests : IAsyncDisposable
{
    private const string Action = "latest/meta-data/spot/instance-action";
    private const string Rebalance = "latest/meta-data/events/recommendations/rebalance";

    private readonly StatusBoard _board = new(TimeProvider.System);
    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    [Fact]
    public async Task Notice_IsToldOnce_AndAgainOnEachNewStream()
    {
        await using var service = await FakeMetadataService.StartAsync();
        service.Answers[Action] = """{"action": "terminate", "time": "2030-01-01T10:02:00Z"}""";
        Watch(service);

        for (var stream = 0; stream < 2; stream++)
        {
            var told = (await NextAsync(static u => u.Interruption is not null)).Interruption;
            Assert.Equal("2030-01-01T10:02:00", $"{DateTimeOffset.FromUnixTimeMilliseconds(told.DeadlineUnixMs):s}");
            Assert.Equal("the cloud will terminate the spot instance", told.Message);
        }
    }

    [Fact]
    public async Task Notice_AfterTheSessionIsOver_IsHeardAllTheSame()
    {
        await using var service = await FakeMetadataService.StartAsync();
        service.Answers[Rebalance] = """{"noticeTime": "2030-01-01T09:00:00Z"}""";
        Watch(service);
        var advice = (await NextAsync(static u => u.Event is not null)).Event;
        Assert.Equal(("RebalanceRecommended", "since 09:00:00 UTC the spot instance is more likely to be taken back"), (advice.Reason, advice.Message));

        service.EndSessions();
        service.Answers[Action] = """{"action": "stop", "time": "2030-01-01T10:02:00Z"}""";

        Assert.Equal("the cloud will stop the spot instance", (await NextAsync(static u => u.Interruption is not null)).Interruption.Message);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("""{"action": "terminate"}""")]
    [InlineData("""{"action": "terminate", "time": "soon"}""")]
    public async Task Notice_ThatCannotBeRead_IsPassedOver_UntilItCan(string answer)
    {
        await using var service = await FakeMetadataService.StartAsync();
        service.Answers[Action] = answer;
        Watch(service);
        service.Answers[Action] = """{"action": "terminate", "time": "2030-01-01T10:02:00Z"}""";

        Assert.NotNull((await NextAsync(static u => u.Interruption is not null)).Interruption);
    }

    [Fact]
    public async Task Run_WithNobodyToAsk_EndsWithItsCancellationOnly()
    {
        using var watch = new InterruptionWatch(null, _board, TimeProvider.System, NullLogger.Instance);
        _running = watch.RunAsync(_stop.Token);

        Assert.False(_running.IsCompleted);
        await _stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _running);
    }

    private void Watch(FakeMetadataService service)
    {
        var watch = new InterruptionWatch(service.Address, _board, TimeProvider.System, NullLogger.Instance);
        _running = RunAsync();

        async Task RunAsync()
        {
            using (watch)
            {
                await watch.RunAsync(_stop.Token);
            }
        }
    }

    private async Task<StatusUpdate> NextAsync(Func<StatusUpdate, bool> isIt)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await foreach (var update in _board.WatchAsync(0, limit.Token))
        {
            if (isIt(update))
            {
                return update;
            }
        }

        throw new InvalidOperationException("the board's stream ended");
    }
}
