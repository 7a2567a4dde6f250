using System.Net;

namespace Kip.Drivers.Aws.Tests;

/// <summary>What operators and pods get wrong: each is one sentence that says what, and what to do.</summary>
public sealed class BadInputTests : IDisposable
{
    private const string Launch = "cannot launch a t3.nano in us-east-1a: ";

    private readonly FakeAws _aws = new();
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(1));

    public void Dispose()
    {
        _aws.Dispose();
        _limit.Dispose();
    }

    [Theory]
    [InlineData("AuthFailure", "AWS was not able to validate the provided access credentials", 401, DriverErrorKind.Unauthorized,
        "AWS does not take these credentials in this region: check the access key, that the region is enabled for the account, and that it is in the same partition (aws, aws-cn, aws-us-gov) (AuthFailure)")]
    [InlineData("UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:iam::1:user/kip is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/cells because no identity-based policy allows the iam:PassRole action", 403, DriverErrorKind.Unauthorized,
        "the credentials do not allow iam:PassRole on arn:aws:iam::1:role/cells: add it to the controller's policy (UnauthorizedOperation)")]
    [InlineData("InvalidParameterValue", "Value (cells) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", 400, DriverErrorKind.InvalidConfiguration,
        "Value (cells) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name (InvalidParameterValue)")]
    [InlineData("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses", 400, DriverErrorKind.OutOfCapacity,
        "the subnet has no free address left: a cell takes two; use a larger subnet, or subnets in more zones (InsufficientFreeAddressesInSubnet)")]
    [InlineData("SecurityGroupsPerInterfaceLimitExceeded", "", 400, DriverErrorKind.InvalidConfiguration,
        "a network interface takes 5 security groups unless the account's quota says otherwise: configure fewer (SecurityGroupsPerInterfaceLimitExceeded)")]
    [InlineData("InsufficientHostCapacity", "", 500, DriverErrorKind.OutOfCapacity,
        "no dedicated host of the account has room for it in this zone: allocate one with auto-placement for the type (aws ec2 allocate-hosts) (InsufficientHostCapacity)")]
    public async Task Launch_RefusedByEc2_SaysWhatIsWrongAndWhatToDo(string code, string message, int status, DriverErrorKind kind, string sentence)
    {
        _aws.Fail("RunInstances", code, message, (HttpStatusCode)status);

        var error = await LaunchAsync(FakeAws.MakeRequest());

        Assert.Equal((kind, Launch + sentence), (error.Kind, error.Message));
    }

    public static TheoryData<string, AwsDriverOptions, string> WrongNetworks => new()
    {
        { "DescribeVpcs", FakeAws.MakeOptions() with { VpcId = "vpc-other" }, "there is no VPC vpc-other in us-east-1 that this account can use: check the id and the region" },
        { "DescribeVpcs", FakeAws.MakeOptions(), "the account has no default VPC in us-east-1: configure the id of the VPC that cells are to be in" },
        { "DescribeSubnets", FakeAws.MakeOptions() with { SubnetIds = ["subnet-other"] }, "there is no subnet subnet-other in us-east-1 that this account can use: check the ids and the region" },
        { "DescribeSubnets", FakeAws.MakeOptions(), "the VPC vpc-1 has no subnet: make one, or configure another VPC" },
        { "DescribeSecurityGroups", FakeAws.MakeOptions() with { ExtraSecurityGroupIds = ["sg-other"] }, "there is no security group sg-other in vpc-1: check the extra security groups" },
        { "DescribeImages", FakeAws.MakeOptions(), "there is no image ami-1 in us-east-1, or it is not shared with this account" },
    };

    [Theory, MemberData(nameof(WrongNetworks), DisableDiscoveryEnumeration = true)]
    public async Task Launch_WhatIsConfiguredIsNotThere_NamesIt(string listedBy, AwsDriverOptions options, string sentence)
    {
        _aws.Answer(listedBy, "");

        Assert.Equal(sentence, (await LaunchAsync(FakeAws.MakeRequest(), options)).Message);
        Assert.Equal(0, _aws.Count("RunInstances"));
    }

    public static TheoryData<LaunchOptions, string> WrongPods => new()
    {
        {
            new LaunchOptions { SecurityGroups = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"] },
            "AWS driver: the pod names 5 security groups; a network interface takes 4 besides Kip's own: name fewer"
        },
        { new LaunchOptions { SecurityGroups = ["web"] }, "AWS driver: the pod's security group \"web\" is not an id, such as sg-0123456789abcdef0" },
        {
            new LaunchOptions { PrivateAddressOnly = true },
            "AWS driver: the pod wants no public address, but by that the controller reaches its cells: run the controller inside of the network, or let the pod have one"
        },
    };

    [Theory, MemberData(nameof(WrongPods), DisableDiscoveryEnumeration = true)]
    public async Task Launch_PodAsksForWhatCannotBe_IsRefusedWithoutACall(LaunchOptions pod, string sentence)
    {
        var error = await LaunchAsync(FakeAws.MakeRequest() with { Options = pod }, FakeAws.MakeOptions() with { ConnectToPublicAddress = true });

        Assert.Equal((DriverErrorKind.InvalidConfiguration, sentence), (error.Kind, error.Message));
        Assert.Empty(_aws.Calls);
    }

    [Fact]
    public async Task Launch_PodsSecurityGroupIsNotThere_NamesItAndIsNotTriedAgain()
    {
        _aws.Answer("DescribeSecurityGroups", call => FakeAws.Xml(HttpStatusCode.OK, call.Filter("group-id") is null
            ? "<r><securityGroupInfo><item><groupId>sg-1</groupId><tagSet><item><key>KipControllerID</key><value>ctl</value></item></tagSet></item></securityGroupInfo></r>"
            : "<r><securityGroupInfo/></r>"));
        _aws.Fail("RunInstances", "InvalidGroup.NotFound", "The security group 'sg-9' does not exist in VPC 'vpc-1'");

        var error = await LaunchAsync(FakeAws.MakeRequest() with { Options = new LaunchOptions { SecurityGroups = ["sg-9"] } });

        Assert.Equal((DriverErrorKind.InvalidConfiguration, "there is no security group sg-9 in vpc-1: check the pod's security groups"), (error.Kind, error.Message));
    }

    [Fact]
    public async Task Launch_TypeOfAnotherArchitectureThanTheImage_SaysWhichImageIsWanted()
    {
        _aws.Answer("DescribeInstanceTypes", FakeTypes);
        _aws.Answer("DescribeInstanceTypeOfferings", FakeOfferings);
        _aws.Answer("DescribeSpotPriceHistory", "");
        using var driver = _aws.MakeDriver();
        await driver.GetCatalogAsync(_limit.Token);

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest() with { InstanceType = "t4g.nano" }, _limit.Token));

        Assert.Equal(
            (DriverErrorKind.InvalidConfiguration, "a t4g.nano is arm64, and the image ami-1 is for amd64: configure an image for arm64 too, for example by {arch} in a parameter's path, or let the pod ask for kubernetes.io/arch=amd64"),
            (error.Kind, error.Message));
        Assert.Equal(0, _aws.Count("RunInstances"));
    }

    internal const string FakeTypes = """
        <instanceTypeSet><item><instanceType>t4g.nano</instanceType><supportedUsageClasses><item>on-demand</item></supportedUsageClasses><supportedRootDeviceTypes><item>ebs</item></supportedRootDeviceTypes>
        <processorInfo><supportedArchitectures><item>arm64</item></supportedArchitectures></processorInfo><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>512</sizeInMiB></memoryInfo></item></instanceTypeSet>
        """;

    internal const string FakeOfferings = "<instanceTypeOfferingSet><item><instanceType>t4g.nano</instanceType><location>us-east-1a</location></item></instanceTypeOfferingSet>";

    private async Task<DriverException> LaunchAsync(LaunchRequest request, AwsDriverOptions? options = null)
    {
        using var driver = _aws.MakeDriver(options ?? FakeAws.MakeOptions());
        return await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(request, _limit.Token));
    }
}
