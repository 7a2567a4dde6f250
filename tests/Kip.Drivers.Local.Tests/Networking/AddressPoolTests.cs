using Kip.Drivers.Local.Networking;

namespace Kip.Drivers.Local.Tests.Networking;

public sealed class AddressPoolTests
{
    private static readonly Ipv4Range Range = Ipv4Range.TryParse("10.9.8.0/29")!.Value;

    [Theory]
    [InlineData(0u)]
    [InlineData(4u)]
    [InlineData(uint.MaxValue)]
    public void Allocate_UntilEmpty_GivesEveryCellAddressOnceAndNoOther(uint seed)
    {
        var taken = new HashSet<string>();
        for (var cell = 0; cell < 2; cell++)
        {
            var (own, pod) = AddressPool.Allocate(Range, taken, seed);
            Assert.True(taken.Add(own) && taken.Add(pod));
        }

        Assert.Subset(new HashSet<string> { "10.9.8.2", "10.9.8.3", "10.9.8.4", "10.9.8.5", "10.9.8.6" }, taken);
        var exception = Assert.Throws<DriverException>(() => AddressPool.Allocate(Range, taken, seed));
        Assert.Equal(DriverErrorKind.OutOfCapacity, exception.Kind);
    }

    [Theory]
    [InlineData("10.0.0.0/8", true)]
    [InlineData("10.9.8.6/32", true)]
    [InlineData("10.9.8.8/29", false)]
    [InlineData("0.0.0.0/0", true)]
    public void Overlaps_OtherRange_IsSymmetric(string other, bool overlaps)
    {
        var range = Ipv4Range.TryParse(other)!.Value;

        Assert.Equal(overlaps, Range.Overlaps(range));
        Assert.Equal(overlaps, range.Overlaps(Range));
    }

    [Theory]
    [InlineData("10.9.8.0")]
    [InlineData("10.9.8.0/33")]
    [InlineData("10.9.8/24")]
    [InlineData("10.9.8.0/ 24")]
    [InlineData("::1/24")]
    public void TryParse_NotARange_IsNull(string text) => Assert.Null(Ipv4Range.TryParse(text));
}
