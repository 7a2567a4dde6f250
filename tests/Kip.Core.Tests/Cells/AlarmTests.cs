using Kip.Cells;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

public class AlarmTests
{
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(false, 60)]
    [InlineData(true, 0)]
    public async Task Wait_EndsWithTheRegularLook_OrAtOnceWhenItRangBefore(bool rang, int seconds)
    {
        var clock = new VirtualClock();
        var alarm = new Alarm(clock);
        await clock.RunAsync(async () =>
        {
            if (rang)
            {
                alarm.Ring();
            }

            await alarm.WaitAsync(Look, default);
            Assert.Equal(seconds, clock.Elapsed.TotalSeconds);

            await alarm.WaitAsync(Look, default); // it rang for one sleep
            Assert.Equal(seconds + 60, clock.Elapsed.TotalSeconds);
        });
    }

    [Fact]
    public async Task Wait_RungMeanwhile_EndsThen_AndCancelledThrows()
    {
        var clock = new VirtualClock();
        var alarm = new Alarm(clock);
        await clock.RunAsync(async () =>
        {
            var waiting = alarm.WaitAsync(Look, default);
            await clock.AdvanceAsync(TimeSpan.FromSeconds(10));
            alarm.Ring();
            await waiting;
            Assert.Equal(10, clock.Elapsed.TotalSeconds);

            using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(5), clock);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => alarm.WaitAsync(Look, stop.Token));
        });
    }
}
