namespace Kip.Drivers.Aws.Tests.Routes;

public sealed class AwsRoutesTests : AwsTest
{
    private const string Range = "10.9.0.0/16";

    public AwsRoutesTests() => Aws.Answer("DescribeInstances", call => call.Filter("instance-id") is { } id and ("i-1" or "i-2") ? FakeAws.Instances("", FakeAws.Instance(id, "running")) : FakeAws.Instances(""));

    [Fact]
    public async Task Route_NewRange_IsInTheTablesOfTheCellsSubnets_AndTheInstanceForwards()
    {
        Tables(main: "", own: "");
        using var driver = Aws.MakeDriver();

        await driver.RouteAsync("i-1", [Range, "10.10.0.0/16"], Limit);

        Assert.Equal(
            [("rtb-own", Range), ("rtb-own", "10.10.0.0/16"), ("rtb-main", Range), ("rtb-main", "10.10.0.0/16")],
            Aws.Calls.Where(call => call.Action == "CreateRoute").Select(call => (call["RouteTableId"], call["DestinationCidrBlock"])));
        Assert.All(Aws.Calls.Where(call => call.Action == "CreateRoute"), call => Assert.Equal("i-1", call["InstanceId"]));
        Assert.Equal(("i-1", "false"), (Aws.Last("ModifyInstanceAttribute")["InstanceId"], Aws.Last("ModifyInstanceAttribute")["SourceDestCheck.Value"]));
    }

    [Fact]
    public async Task Route_ThatIsThere_ChangesNothing()
    {
        Tables(Leads("<instanceId>i-1</instanceId>"));
        using var driver = Aws.MakeDriver();

        await driver.RouteAsync("i-1", [Range], Limit);

        Assert.Equal((0, 0), (Aws.Count("CreateRoute"), Aws.Count("ReplaceRoute")));
    }

    [Theory]
    [InlineData("<instanceId>i-2</instanceId>")]
    [InlineData("<networkInterfaceId>eni-1</networkInterfaceId><state>blackhole</state>")]
    public async Task Route_OfAnotherCell_OrOfOneThatHasEnded_IsTakenOver(string target)
    {
        Tables(Leads(target));
        using var driver = Aws.MakeDriver();

        await driver.RouteAsync("i-1", [Range], Limit);

        var call = Assert.Single(Aws.Calls, call => call.Action == "ReplaceRoute");
        Assert.Equal(("rtb-main", Range, "i-1"), (call["RouteTableId"], call["DestinationCidrBlock"], call["InstanceId"]));
    }

    [Theory]
    [InlineData("<instanceId>i-9</instanceId>", "i-9")]
    [InlineData("<networkInterfaceId>eni-1</networkInterfaceId><state>active</state>", "eni-1")]
    [InlineData("<gatewayId>vgw-1</gatewayId>", "vgw-1")]
    [InlineData("<transitGatewayId>tgw-1</transitGatewayId>", "something else")]
    public async Task Route_ThatIsNoCells_IsLeftAlone_AndNamed(string target, string named)
    {
        Tables(Leads(target));
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.RouteAsync("i-1", [Range], Limit));

        Assert.Equal(
            (DriverErrorKind.InvalidConfiguration, $"cannot route 10.9.0.0/16 to i-1 in rtb-main: it leads to {named} there, which is no cell of ctl: take that route away, or use another range"),
            (error.Kind, error.Message));
        Assert.Equal((0, 0), (Aws.Count("CreateRoute"), Aws.Count("ReplaceRoute")));
    }

    [Fact]
    public async Task Route_ToSomebodyElsesInstance_ChangesNothing()
    {
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.RouteAsync("i-9", [Range], Limit));

        Assert.Equal((DriverErrorKind.NotFound, 0), (error.Kind, Aws.Count("ModifyInstanceAttribute")));
    }

    [Theory]
    [InlineData("<instanceId>i-1</instanceId>", 1)]
    [InlineData("<networkInterfaceId>eni-1</networkInterfaceId><state>blackhole</state>", 1)]
    [InlineData("<instanceId>i-2</instanceId>", 0)]
    [InlineData("<gatewayId>vgw-1</gatewayId>", 0)]
    public async Task Unroute_OnlyWhatLeadsToTheInstance_IsTakenAway(string target, int deleted)
    {
        Tables(Leads(target));
        using var driver = Aws.MakeDriver();

        await driver.UnrouteAsync("i-1", [Range], Limit);

        Assert.Equal(deleted, Aws.Count("DeleteRoute"));
    }

    [Fact]
    public async Task Unroute_AlreadyGone_IsNoError()
    {
        Tables(Leads("<instanceId>i-1</instanceId>"));
        Aws.Fail("DeleteRoute", "InvalidRoute.NotFound");
        using var driver = Aws.MakeDriver();

        await driver.UnrouteAsync("i-1", [Range], Limit);
    }

    private static string Leads(string target) => $"<item><destinationCidrBlock>{Range}</destinationCidrBlock>{target}</item>";

    /// <summary>The main table, and if it is given one of subnet-a's own.</summary>
    private void Tables(string main, string? own = null) => Aws.Answer("DescribeRouteTables", $"""
        <routeTableSet><item><routeTableId>rtb-main</routeTableId><associationSet><item><main>true</main></item></associationSet><routeSet>{main}</routeSet></item>
        {(own is null ? "" : $"<item><routeTableId>rtb-own</routeTableId><associationSet><item><subnetId>subnet-a</subnetId></item></associationSet><routeSet>{own}</routeSet></item>")}
        <item><routeTableId>rtb-of-others</routeTableId><associationSet><item><subnetId>subnet-z</subnetId></item></associationSet></item></routeTableSet>
        """);
}
