using System.Net;
using Kip.Testing;

namespace Kip.Drivers.Aws.Tests;

public sealed class AwsNetworkTests : AwsTest
{
    [Fact]
    public async Task Network_NothingConfigured_IsTheDefaultVpcWithAllItsSubnets()
    {
        using var reader = MakeReader(FakeAws.MakeOptions());

        var network = await reader.GetAsync(Limit);

        Assert.Equal("vpc-1", network.VpcId);
        Assert.Equal(new CellSubnet("subnet-a", IsPublic: true), network.Subnets["us-east-1a"]);
        Assert.Equal(new CellSubnet("subnet-b", IsPublic: true), network.Subnets["us-east-1b"]);
        Assert.Equal("true", Aws.Last("DescribeVpcs").Filter("is-default"));
        Assert.Equal("vpc-1", Aws.Last("DescribeSubnets").Filter("vpc-id"));
    }

    [Fact]
    public async Task Network_SubnetsConfigured_IsTheirVpcWithNoOthers()
    {
        Aws.Answer("DescribeSubnets", $"<subnetSet>{Subnet("subnet-a", "us-east-1a", 10)}</subnetSet>");
        using var reader = MakeReader(FakeAws.MakeOptions() with { SubnetIds = ["subnet-a"], VpcId = "vpc-1" });

        var network = await reader.GetAsync(Limit);

        Assert.Equal("us-east-1a", Assert.Single(network.Subnets).Key);
        Assert.Equal("subnet-a", Aws.Last("DescribeSubnets").Filter("subnet-id"));
        Assert.Equal("vpc-1", Aws.Last("DescribeVpcs").Filter("vpc-id"));
    }

    [Theory]
    [InlineData(null, "subnet-public")]
    [InlineData(true, "subnet-public")]
    [InlineData(false, "subnet-private")]
    public async Task Network_SeveralSubnetsInAZone_TakesTheOneThatSuitsTheAddresses(bool? assignPublicAddress, string expected)
    {
        Aws.Answer("DescribeSubnets", $"<subnetSet>{Subnet("subnet-private", "us-east-1a", 100)}{Subnet("subnet-public", "us-east-1a", 10)}</subnetSet>");
        Aws.Answer("DescribeRouteTables", """
            <routeTableSet>
            <item><associationSet><item><main>true</main></item></associationSet><routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId></item></routeSet></item>
            <item><associationSet><item><subnetId>subnet-public</subnetId></item></associationSet><routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-1</gatewayId></item></routeSet></item>
            </routeTableSet>
            """);
        using var reader = MakeReader(FakeAws.MakeOptions() with { AssignPublicAddress = assignPublicAddress });

        var network = await reader.GetAsync(Limit);

        Assert.Equal(expected, network.Subnets["us-east-1a"].Id);
    }

    [Fact]
    public async Task Network_EquallySuited_TakesTheOneWithTheMostRoom()
    {
        Aws.Answer("DescribeSubnets", $"<subnetSet>{Subnet("subnet-small", "us-east-1a", 10)}{Subnet("subnet-large", "us-east-1a", 100)}</subnetSet>");
        using var reader = MakeReader(FakeAws.MakeOptions());

        Assert.Equal("subnet-large", (await reader.GetAsync(Limit)).Subnets["us-east-1a"].Id);
    }

    [Fact]
    public async Task Network_NoDefaultVpc_SaysWhatToConfigure()
    {
        Aws.Answer("DescribeVpcs", "<vpcSet/>");
        using var reader = MakeReader(FakeAws.MakeOptions());

        Assert.Equal(
            "the account has no default VPC in us-east-1: configure the id of the VPC that cells are to be in",
            (await FailAsync(reader)).Message);
    }

    [Fact]
    public async Task Network_SubnetsMissing_NamesThem()
    {
        Aws.Answer("DescribeSubnets", $"<subnetSet>{Subnet("subnet-a", "us-east-1a", 10)}</subnetSet>");
        using var reader = MakeReader(FakeAws.MakeOptions() with { SubnetIds = ["subnet-a", "subnet-x"] });

        Assert.Equal("there is no subnet subnet-x in us-east-1 that this account can use: check the ids and the region", (await FailAsync(reader)).Message);
    }

    [Fact]
    public async Task Network_SubnetsOfAnotherVpc_SaysSo()
    {
        Aws.Answer("DescribeSubnets", $"<subnetSet>{Subnet("subnet-a", "us-east-1a", 10)}</subnetSet>");
        using var reader = MakeReader(FakeAws.MakeOptions() with { SubnetIds = ["subnet-a"], VpcId = "vpc-2" });

        Assert.Equal("the subnets are in vpc-1, but the VPC is configured to be vpc-2", (await FailAsync(reader)).Message);
    }

    [Fact]
    public async Task Network_ReadByManyAtOnce_IsReadOnce()
    {
        using var reader = MakeReader(FakeAws.MakeOptions());

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => reader.GetAsync(Limit)));

        Assert.Equal(4, Aws.Calls.Count);
    }

    [Fact]
    public async Task Network_AfterTenMinutes_IsReadAgain()
    {
        var clock = new VirtualClock();
        using var reader = MakeReader(FakeAws.MakeOptions(), clock);

        await reader.GetAsync(Limit);
        await clock.AdvanceAsync(TimeSpan.FromMinutes(9));
        await reader.GetAsync(Limit);
        Assert.Equal(1, Aws.Count("DescribeSubnets"));
        await clock.AdvanceAsync(TimeSpan.FromMinutes(2));
        await reader.GetAsync(Limit);

        Assert.Equal(2, Aws.Count("DescribeSubnets"));
    }

    [Fact]
    public async Task SecurityGroup_NotThere_IsMadeWithTagsAndRules()
    {
        Aws.Answer("DescribeSecurityGroups", "<securityGroupInfo/>");
        Aws.Answer("CreateSecurityGroup", "<groupId>sg-new</groupId>");
        using var reader = MakeReader(FakeAws.MakeOptions() with { ExtraCidrs = ["10.8.0.0/16"] });

        var network = await reader.GetAsync(Limit);

        Assert.Equal(["sg-new"], network.SecurityGroupIds);
        var made = Aws.Last("CreateSecurityGroup");
        Assert.Equal((FakeAws.GroupName, "vpc-1"), (made["GroupName"], made["VpcId"]));
        Assert.Equal(("KipControllerID", FakeAws.Controller), (made["TagSpecification.1.Tag.1.Key"], made["TagSpecification.1.Tag.1.Value"]));
        var rules = Aws.Last("AuthorizeSecurityGroupIngress");
        Assert.Equal("sg-new", rules["GroupId"]);
        Assert.Equal<IEnumerable<string?>>(["172.31.0.0/16", "10.8.0.0/16"], new[] { rules["IpPermissions.1.IpRanges.1.CidrIp"], rules["IpPermissions.2.IpRanges.1.CidrIp"] });
        Assert.Equal(0, Aws.Count("RevokeSecurityGroupIngress"));
    }

    [Fact]
    public async Task SecurityGroup_AsItShouldBe_IsLeftAlone()
    {
        using var reader = MakeReader(FakeAws.MakeOptions());

        await reader.GetAsync(Limit);

        Assert.Equal(0, Aws.Count("CreateSecurityGroup") + Aws.Count("AuthorizeSecurityGroupIngress") + Aws.Count("RevokeSecurityGroupIngress"));
    }

    [Fact]
    public async Task SecurityGroup_WithOtherRules_GetsThoseItShouldHave()
    {
        Aws.Answer("DescribeSecurityGroups", """
            <securityGroupInfo><item><groupId>sg-1</groupId><tagSet><item><key>KipControllerID</key><value>ctl</value></item></tagSet><ipPermissions>
            <item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges>
            <ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges><groups><item><groupId>sg-2</groupId></item></groups><prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item>
            </ipPermissions></item></securityGroupInfo>
            """);
        using var reader = MakeReader(FakeAws.MakeOptions());

        await reader.GetAsync(Limit);

        Assert.Equal("172.31.0.0/16", Aws.Last("AuthorizeSecurityGroupIngress")["IpPermissions.1.IpRanges.1.CidrIp"]);
        var revoked = Aws.Last("RevokeSecurityGroupIngress");
        Assert.Equal<IEnumerable<string?>>(
            ["0.0.0.0/0", "::/0", "pl-1", "sg-2"],
            new[] { revoked["IpPermissions.1.IpRanges.1.CidrIp"], revoked["IpPermissions.2.Ipv6Ranges.1.CidrIpv6"], revoked["IpPermissions.3.PrefixListIds.1.PrefixListId"], revoked["IpPermissions.4.Groups.1.GroupId"] });
        Assert.Equal("22", revoked["IpPermissions.4.ToPort"]);
    }

    [Fact]
    public async Task SecurityGroup_MadeByAnotherProcessMeanwhile_IsFound()
    {
        var group = """
            <securityGroupInfo><item><groupId>sg-other</groupId><tagSet><item><key>KipControllerID</key><value>ctl</value></item></tagSet></item></securityGroupInfo>
            """;
        var looks = 0;
        Aws.Answer("DescribeSecurityGroups", _ => FakeAws.Xml(HttpStatusCode.OK, $"<r>{(looks++ == 0 ? "<securityGroupInfo/>" : group)}</r>"));
        Aws.Fail("CreateSecurityGroup", "InvalidGroup.Duplicate");
        Aws.Fail("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate");
        using var reader = MakeReader(FakeAws.MakeOptions());

        Assert.Equal(["sg-other"], (await reader.GetAsync(Limit)).SecurityGroupIds);
    }

    [Fact]
    public async Task SecurityGroup_NewAndNotKnownEverywhere_IsTransient()
    {
        Aws.Answer("DescribeSecurityGroups", "<securityGroupInfo/>");
        Aws.Fail("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound");
        using var reader = MakeReader(FakeAws.MakeOptions());

        Assert.Equal(DriverErrorKind.Transient, (await FailAsync(reader, DriverErrorKind.Transient)).Kind);
    }

    [Fact]
    public async Task SecurityGroup_OfSomebodyElse_IsNotTouched()
    {
        Aws.Answer("DescribeSecurityGroups", "<securityGroupInfo><item><groupId>sg-9</groupId></item></securityGroupInfo>");
        using var reader = MakeReader(FakeAws.MakeOptions());

        var error = await FailAsync(reader);

        Assert.Contains("sg-9", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, Aws.Count("AuthorizeSecurityGroupIngress") + Aws.Count("RevokeSecurityGroupIngress"));
    }

    [Fact]
    public async Task SecurityGroup_ExtraOneMissing_IsNamed()
    {
        Aws.Answer("DescribeSecurityGroups", "<securityGroupInfo/>");
        using var reader = MakeReader(FakeAws.MakeOptions() with { ExtraSecurityGroupIds = ["sg-x"] });

        Assert.Equal("there is no security group sg-x in vpc-1: check the extra security groups", (await FailAsync(reader)).Message);
    }

    private AwsNetworkReader MakeReader(AwsDriverOptions options, TimeProvider? clock = null) => new(new AwsCalls(options, () => Aws), options, clock ?? TimeProvider.System);

    private async Task<DriverException> FailAsync(AwsNetworkReader reader, DriverErrorKind kind = DriverErrorKind.InvalidConfiguration)
    {
        var error = await Assert.ThrowsAsync<DriverException>(() => reader.GetAsync(Limit));
        Assert.Equal(kind, error.Kind);
        return error;
    }

    private static string Subnet(string id, string zone, int room) =>
        $"<item><subnetId>{id}</subnetId><vpcId>vpc-1</vpcId><state>available</state><availabilityZone>{zone}</availabilityZone><availableIpAddressCount>{room}</availableIpAddressCount></item>";
}
