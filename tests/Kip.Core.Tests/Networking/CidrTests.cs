using Kip.Networking;

namespace Kip.Core.Tests.Networking;

public sealed class CidrTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.0.0.0/8")]
    [InlineData("10.255.255.255/9", "10.128.0.0/9")]
    [InlineData("1.2.3.4/32", "1.2.3.4/32")]
    [InlineData("1.2.3.4/0", "0.0.0.0/0")]
    [InlineData("fd00::1/8", "fd00::/8")]
    [InlineData("fd00:ffff::1/20", "fd00:f000::/20")]
    public void TryParse_Range_IsMasked(string text, string expected)
    {
        Assert.True(Cidr.TryParse(text, out var network));
        Assert.Equal(expected, network.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/+8")]
    [InlineData("10.0/8")]
    [InlineData("0x0a000000/8")]
    [InlineData("256.0.0.0/8")]
    [InlineData("fd00::/129")]
    [InlineData("[fd00::]/8")]
    [InlineData("fe80::1%eth0/64")]
    [InlineData("/8")]
    public void TryParse_NoRange_IsRefused(string? text) => Assert.False(Cidr.TryParse(text, out _));
}
