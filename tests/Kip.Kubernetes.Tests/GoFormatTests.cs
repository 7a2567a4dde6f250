namespace Kip.Kubernetes.Tests;

public sealed class GoFormatTests
{
    [Theory]
    [InlineData("1h30m", 5400)]
    [InlineData("1m0s", 60)]
    [InlineData("1.5s", 1.5)]
    [InlineData("-2ms", -0.002)]
    [InlineData("+3us", 0.000003)]
    [InlineData("3µs", 0.000003)]
    [InlineData("3600000000000ns", 3600)]
    [InlineData(".5h", 1800)]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    public void TryParseDuration_GoDuration_IsRead(string text, double seconds)
    {
        Assert.True(GoFormat.TryParseDuration(text, out var value));
        Assert.Equal(seconds, value.TotalSeconds, 7);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("1 s")]
    [InlineData("1d")]
    [InlineData("1.2.3s")]
    [InlineData(".s")]
    [InlineData("1h-2m")]
    [InlineData("99999999999999999999h")]
    [InlineData("1000000000000000000h")]
    [InlineData("999999999999999999h999999999999999999h999999999999999999h")]
    public void TryParseDuration_NoDuration_IsRefused(string? text) => Assert.False(GoFormat.TryParseDuration(text, out _));

    [Theory]
    [InlineData("1", true)]
    [InlineData("T", true)]
    [InlineData("True", true)]
    [InlineData("0", false)]
    [InlineData("FALSE", false)]
    public void TryParseBool_GoBoolean_IsRead(string text, bool expected)
    {
        Assert.True(GoFormat.TryParseBool(text, out var value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("tRUE")]
    [InlineData("yes")]
    public void TryParseBool_Other_IsRefused(string? text) => Assert.False(GoFormat.TryParseBool(text, out _));
}
