using Kip.Cells;
using Kip.Kubernetes.Objects;
using Kip.Testing;

namespace Kip.Core.Tests.Cells;

public class BootTimesTests
{
    private static readonly TimeSpan Most = TimeSpan.FromMinutes(10);

    [Theory]
    [InlineData(9, 40, 600)]
    [InlineData(10, 60, 180)]
    [InlineData(10, 5, 120)]
    [InlineData(10, 400, 600)]
    public void LimitFor_IsLearntFromEnoughBootsAndBounded(int boots, int seconds, int limit)
    {
        var times = new BootTimes(Most);
        for (var i = 0; i < boots; i++)
        {
            times.Add("a", TimeSpan.FromSeconds(seconds));
        }

        Assert.Equal(limit, times.LimitFor("a").TotalSeconds);
        Assert.Equal(Most, times.LimitFor("b"));
    }

    [Fact]
    public void Add_OfBootsThatWereGivenUp_GivesTheNextMoreTime()
    {
        var times = new BootTimes(Most);
        for (var i = 0; i < 50; i++)
        {
            times.Add("a", TimeSpan.FromSeconds(50));
        }

        Assert.Equal(150, times.LimitFor("a").TotalSeconds);
        times.Add("a", times.LimitFor("a"));
        Assert.Equal(450, times.LimitFor("a").TotalSeconds);
        times.Add("a", times.LimitFor("a"));
        Assert.Equal(Most, times.LimitFor("a"));
    }

    [Fact]
    public void LimitFor_WithAShortTimeout_IsThat()
    {
        var times = new BootTimes(TimeSpan.FromSeconds(30));
        for (var i = 0; i < 50; i++)
        {
            times.Add("a", TimeSpan.FromSeconds(1));
        }

        Assert.Equal(30, times.LimitFor("a").TotalSeconds);
    }
}
