namespace Kip.Drivers.Aws.Tests;

/// <summary>What a pod and the configuration say of a launch, as EC2 hears it.</summary>
public sealed class AwsLaunchTests : AwsTest
{
    [Fact]
    public async Task Launch_PodsSecurityGroups_GoInsteadOfTheConfiguredOnes()
    {
        ExtraGroupsAreThere();

        var call = await LaunchAsync(new LaunchOptions { SecurityGroups = ["sg-7", "sg-8"] }, FakeAws.MakeOptions() with { ExtraSecurityGroupIds = ["sg-extra"] });

        Assert.Equal(["sg-1", "sg-7", "sg-8"], Groups(call));
    }

    [Fact]
    public async Task Launch_PodNamesNoSecurityGroups_HasTheConfiguredOnes()
    {
        ExtraGroupsAreThere();

        var call = await LaunchAsync(new LaunchOptions { PrivateAddressOnly = true }, FakeAws.MakeOptions() with { ExtraSecurityGroupIds = ["sg-extra"] });

        Assert.Equal(["sg-1", "sg-extra"], Groups(call));
    }

    [Theory]
    [InlineData(null, null, "true")]
    [InlineData(true, null, "false")]
    [InlineData(null, false, "false")]
    [InlineData(false, false, "true")]
    public async Task Launch_PublicAddress_IsThePodsAffairFirst(bool? privateOnly, bool? configured, string expected)
    {
        var call = await LaunchAsync(new LaunchOptions { PrivateAddressOnly = privateOnly }, FakeAws.MakeOptions() with { AssignPublicAddress = configured });

        Assert.Equal(expected, call["NetworkInterface.1.AssociatePublicIpAddress"]);
    }

    [Fact]
    public async Task Launch_PodsInstanceProfile_GoesBeforeTheConfiguredOne()
    {
        var call = await LaunchAsync(new LaunchOptions { InstanceProfile = "of-the-pod" }, FakeAws.MakeOptions() with { InstanceProfile = "of-all" });

        Assert.Equal("of-the-pod", call["IamInstanceProfile.Name"]);
    }

    [Fact]
    public async Task Launch_DedicatedHost_IsPlacedOnOneOfTheAccounts()
    {
        using var driver = Aws.MakeDriver();

        Assert.True(driver.Description.HasDedicatedHosts);
        Assert.Equal("host", (await LaunchAsync(new LaunchOptions { DedicatedHost = true }))["Placement.Tenancy"]);
        Assert.Null((await LaunchAsync(null))["Placement.Tenancy"]);
    }

    [Theory]
    [InlineData("cr-0123456789abcdef0", CapacityType.OnDemand, "CapacityReservationId")]
    [InlineData("arn:aws:resource-groups:us-east-1:123456789012:group/reserved", CapacityType.OnDemand, "CapacityReservationResourceGroupArn")]
    [InlineData("cr-0123456789abcdef0", CapacityType.Spot, null)]
    public async Task Launch_CapacityReservation_IsTheTargetOfOnDemandCells(string reservation, CapacityType capacityType, string? member)
    {
        var call = await LaunchAsync(null, FakeAws.MakeOptions() with { CapacityReservation = reservation }, capacityType);

        const string Target = "CapacityReservationSpecification.CapacityReservationTarget.";
        List<(string, string)> expected = member is null ? [] : [(Target + member, reservation)];
        Assert.Equal(expected, call.Parameters.Where(parameter => parameter.Key.StartsWith(Target, StringComparison.Ordinal)).Select(parameter => (parameter.Key, parameter.Value)));
    }

    private static IEnumerable<string> Groups(Ec2Call call) => call.Parameters
        .Where(parameter => parameter.Key.StartsWith("NetworkInterface.1.SecurityGroupId.", StringComparison.Ordinal))
        .OrderBy(parameter => parameter.Key, StringComparer.Ordinal)
        .Select(parameter => parameter.Value);

    private void ExtraGroupsAreThere() => Aws.Answer("DescribeSecurityGroups", call => FakeAws.Xml(System.Net.HttpStatusCode.OK, call.Filter("group-id") is { } group
        ? $"<r><securityGroupInfo><item><groupId>{group}</groupId></item></securityGroupInfo></r>"
        : "<r><securityGroupInfo/></r>"));

    private async Task<Ec2Call> LaunchAsync(LaunchOptions? pod, AwsDriverOptions? options = null, CapacityType capacityType = CapacityType.OnDemand)
    {
        using var driver = Aws.MakeDriver(options ?? FakeAws.MakeOptions());
        await driver.LaunchAsync(FakeAws.MakeRequest() with { Options = pod, CapacityType = capacityType }, Limit);
        return Aws.Last("RunInstances");
    }
}
