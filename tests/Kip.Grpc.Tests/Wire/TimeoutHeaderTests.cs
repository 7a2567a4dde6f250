using Kip.Grpc.Wire;

namespace Kip.Grpc.Tests.Wire;

public sealed class TimeoutHeaderTests
{
    [Theory]
    [InlineData("1n", 1)] // rounded up to a tick
    [InlineData("200n", 2)]
    [InlineData("3u", 30)]
    [InlineData("4m", 40_000)]
    [InlineData("5S", 50_000_000)]
    [InlineData("6M", 3_600_000_000)]
    [InlineData("7H", 252_000_000_000)]
    [InlineData("99999999H", 99_999_999 * TimeSpan.TicksPerHour)]
    [InlineData("0S", 0)]
    public void TryParse_EveryUnit_IsRead(string text, long ticks)
    {
        Assert.True(TimeoutHeader.TryParse(text, out TimeSpan timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("1")]
    [InlineData("1s")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData(" 1S")]
    [InlineData("1.5S")]
    [InlineData("123456789S")]
    public void TryParse_Malformed_IsRefused(string text) => Assert.False(TimeoutHeader.TryParse(text, out _));

    [Theory]
    [InlineData(1, "100n")]
    [InlineData(999_999, "99999900n")]
    [InlineData(1_000_001, "100001u")] // one tick over what fits in nanoseconds: rounded up
    [InlineData(5 * TimeSpan.TicksPerSecond, "5000000u")]
    [InlineData(100 * TimeSpan.TicksPerSecond, "100000m")]
    [InlineData(2 * TimeSpan.TicksPerDay, "172800S")]
    [InlineData(long.MaxValue, "99999999H")] // what the header can say at most: 11,000 years
    public void Format_Duration_GoesInTheFinestUnitOfEightDigits(long ticks, string expected) =>
        Assert.Equal(expected, TimeoutHeader.Format(TimeSpan.FromTicks(ticks)));

    [Fact]
    public void Format_AnyDuration_IsReadBackNeverShorterAndAlmostEqual()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int i = 0; i < 10_000; i++)
        {
            long ticks = Math.Max(1, random.NextInt64(99_999_999 * TimeSpan.TicksPerHour) >> random.Next(63));
            string text = TimeoutHeader.Format(TimeSpan.FromTicks(ticks));

            Assert.True(TimeoutHeader.TryParse(text, out TimeSpan parsed), $"seed {seed}: '{text}'");
            Assert.True(parsed.Ticks >= ticks, $"seed {seed}: {ticks} became {parsed.Ticks}");
            Assert.True(parsed.Ticks - ticks <= (ticks / 100_000) + 1, $"seed {seed}: {ticks} became {parsed.Ticks}");
        }
    }
}
