using Kip.Drivers;
using Kip.Pacing;
using Kip.Testing;

namespace Kip.Core.Tests.Pacing;

public class PaceTests
{
    private readonly VirtualClock _clock = new();

    [Fact]
    public void TimeFor_AfterTheBurst_IsWhatTheRateSays()
    {
        var pace = new Pace(new RateLimit(2, 5), _clock);

        // One of the burst is kept: calls arrive nearer to each other than they were sent.
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(TimeSpan.Zero, pace.TimeFor(1));
            pace.Take();
        }

        Assert.Equal(TimeSpan.FromSeconds(0.5), pace.TimeFor(1));
        Assert.Equal(TimeSpan.FromSeconds(5), pace.TimeFor(10));
        _clock.Advance(TimeSpan.FromSeconds(0.5));
        Assert.Equal(TimeSpan.Zero, pace.TimeFor(1));
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.FromSeconds(0.5), pace.TimeFor(5));
    }

    [Fact]
    public void TimeFor_WithoutLimit_IsAlwaysNow()
    {
        var pace = new Pace(null, _clock);
        pace.Take();
        Assert.False(pace.SlowDown());
        Assert.Equal(TimeSpan.Zero, pace.TimeFor(1_000_000));
    }

    [Fact]
    public void SlowDown_HalvesTheRateOnceForWhatWasUnderWayTogether_AndRecovers()
    {
        var pace = new Pace(new RateLimit(10, 50), _clock);

        Assert.True(pace.SlowDown());
        Assert.False(pace.SlowDown());
        Assert.Equal(0.5, pace.Share);
        Assert.Equal(TimeSpan.FromSeconds(0.2), pace.TimeFor(1));

        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.True(pace.SlowDown());
        Assert.InRange(pace.Share, 0.27, 0.28);
        _clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(1, pace.Share);
    }

    [Fact]
    public Task WaitAsync_OfMany_KeepsTheRate() => _clock.RunAsync(async () =>
    {
        var pace = new Pace(new RateLimit(2, 1), _clock);
        var bucket = new List<TimeSpan>();

        await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ =>
        {
            await pace.WaitAsync(default);
            lock (bucket)
            {
                bucket.Add(_clock.Elapsed);
            }
        }));

        Assert.Equal([0, 0.5, 1, 1.5, 2], bucket.Order().Select(static t => Math.Round(t.TotalSeconds, 3)));
    });
}
