namespace Kip.Drivers.Local.Tests;

public sealed class LocalRequirementsTests
{
    private static readonly LocalDriverOptions Options = new()
    {
        ControllerId = "c", AgentPath = "/nowhere/kip-agent", ImageArchives = ["/nowhere/a.tar"], Bridge = "kt-absent", Cidr = "10.221.255.0/24",
    };

    [Fact]
    public void Check_MissingThings_EachHasARemedy()
    {
        var requirements = LocalRequirements.Check(Options, isRoot: false);

        Assert.All(requirements, requirement => Assert.Equal(requirement.Ok, requirement.Remedy is null));
        foreach (var name in new[] { "root", "agent", "image archive" })
        {
            Assert.False(requirements.Single(requirement => requirement.Name == name).Ok);
        }
    }

    [Fact]
    public void Demand_NotRoot_IsUnauthorizedBeforeAllElse() =>
        Assert.Equal(DriverErrorKind.Unauthorized, Assert.Throws<DriverException>(() => LocalRequirements.Demand(Options, isRoot: false)).Kind);

    [Fact]
    public void Check_RangeOfLoopback_NamesWhatTakesIt()
    {
        var network = LocalRequirements.Check(Options with { Cidr = "127.0.0.0/8" }, isRoot: true).Single(requirement => requirement.Name == "network");

        Assert.False(network.Ok);
        Assert.Contains("lo", network.Detail, StringComparison.Ordinal);
        Assert.Contains("Cidr", network.Remedy, StringComparison.Ordinal);
    }
}
