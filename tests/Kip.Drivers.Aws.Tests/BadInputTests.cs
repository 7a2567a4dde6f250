using System.Net;
using System.Security.Cryptography;

namespace Kip.Drivers.Aws.Tests;

/// <summary>What operators and pods get wrong: each is one sentence that says what, and what to do.</summary>
public sealed class BadInputTests : AwsTest
{
    private const string Launch = "cannot launch a t3.nano in us-east-1a: ";

    [Theory]
    [InlineData("AuthFailure", "AWS was not able to validate the provided access credentials", 401, DriverErrorKind.Unauthorized,
        "AWS does not take these credentials in this region: check the access key, that the region is enabled for the account, and that it is in the same partition (aws, aws-cn, aws-us-gov) (AuthFailure)")]
    [InlineData("UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:iam::1:user/kip is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/cells because no identity-based policy allows the iam:PassRole action", 403, DriverErrorKind.Unauthorized,
        "the credentials do not allow iam:PassRole on arn:aws:iam::1:role/cells: add it to the controller's policy (UnauthorizedOperation)")]
    [InlineData("InvalidParameterValue", "Value (cells) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", 400, DriverErrorKind.InvalidConfiguration,
        "the account has no such instance profile: check its name (aws iam list-instance-profiles): Value (cells) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name (InvalidParameterValue)")]
    [InlineData("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses", 400, DriverErrorKind.OutOfCapacity,
        "the subnet has no free address left: a cell takes two; use a larger subnet, or subnets in more zones (InsufficientFreeAddressesInSubnet)")]
    [InlineData("SecurityGroupsPerInterfaceLimitExceeded", "", 400, DriverErrorKind.InvalidConfiguration,
        "a network interface takes 5 security groups unless the account's quota says otherwise: configure fewer (SecurityGroupsPerInterfaceLimitExceeded)")]
    [InlineData("InsufficientHostCapacity", "", 500, DriverErrorKind.OutOfCapacity,
        "no dedicated host of the account has room for it in this zone: allocate one with auto-placement for the type (aws ec2 allocate-hosts) (InsufficientHostCapacity)")]
    public async Task Launch_RefusedByEc2_SaysWhatIsWrongAndWhatToDo(string code, string message, int status, DriverErrorKind kind, string sentence)
    {
        Aws.Fail("RunInstances", code, message, (HttpStatusCode)status);

        var error = await LaunchAsync(FakeAws.MakeRequest());

        Assert.Equal((kind, Launch + sentence), (error.Kind, error.Message));
    }

    [Theory]
    [InlineData("us-east", "cannot launch a t3.nano in us-east-1a: Name or service not known (ec2.us-east.amazonaws.com:443): check that there is such a region, and that this machine resolves names")]
    [InlineData("US East", "AWS driver: \"US East\" is not the name of a region, such as us-east-1")]
    public async Task Launch_InARegionThatThereIsNot_SaysSo(string region, string sentence)
    {
        Aws.Answer("RunInstances", _ => throw new HttpRequestException(HttpRequestError.NameResolutionError, $"Name or service not known (ec2.{region}.amazonaws.com:443)"));

        Assert.Equal(sentence, (await LaunchAsync(FakeAws.MakeRequest(), FakeAws.MakeOptions() with { Region = region })).Message);
    }

    [Fact]
    public async Task Launch_WithMoreThanEc2TakesInUserData_SaysWhatToShorten()
    {
        var text = string.Concat(Enumerable.Range(0, 1000).Select(i => Convert.ToBase64String(SHA256.HashData(BitConverter.GetBytes(i)))));

        var error = await LaunchAsync(FakeAws.MakeRequest() with { UserData = text });

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
        Assert.Matches("^the cell's user data takes [0-9]+ bytes compressed, and EC2 allows 16384: configure fewer or shorter registries$", error.Message);
        Assert.Equal(0, Aws.Count("RunInstances"));
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
        Aws.Answer(listedBy, "");

        Assert.Equal(sentence, (await LaunchAsync(FakeAws.MakeRequest(), options)).Message);
        Assert.Equal(0, Aws.Count("RunInstances"));
    }

    public static TheoryData<LaunchOptions, string> WrongPods => new()
    {
        {
            new LaunchOptions { SecurityGroups = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"] },
            "AWS driver: the pod names 5 security groups; a network interface takes 4 besides Kip's own: name fewer"
        },
        { new LaunchOptions { Routes = ["fd00::/8"] }, "AWS driver: the pod's cloud-route \"fd00::/8\" is no IPv4 range, such as 10.9.0.0/16" },
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
        Assert.Empty(Aws.Calls);
    }

    [Fact]
    public async Task Launch_PodsSecurityGroupIsNotThere_NamesItAndIsNotTriedAgain()
    {
        Aws.Answer("DescribeSecurityGroups", call => FakeAws.Xml(HttpStatusCode.OK, call.Filter("group-id") is null
            ? "<r><securityGroupInfo><item><groupId>sg-1</groupId><tagSet><item><key>KipControllerID</key><value>ctl</value></item></tagSet></item></securityGroupInfo></r>"
            : "<r><securityGroupInfo/></r>"));
        Aws.Fail("RunInstances", "InvalidGroup.NotFound", "The security group 'sg-9' does not exist in VPC 'vpc-1'");

        var error = await LaunchAsync(FakeAws.MakeRequest() with { Options = new LaunchOptions { SecurityGroups = ["sg-9"] } });

        Assert.Equal((DriverErrorKind.InvalidConfiguration, "there is no security group sg-9 in vpc-1: check the pod's security groups"), (error.Kind, error.Message));
    }

    [Fact]
    public async Task Launch_TypeOfAnotherArchitectureThanTheImage_SaysWhichImageIsWanted()
    {
        Aws.Answer("DescribeInstanceTypes", FakeTypes);
        Aws.Answer("DescribeInstanceTypeOfferings", FakeOfferings);
        Aws.Answer("DescribeSpotPriceHistory", "");
        using var driver = Aws.MakeDriver();
        await driver.GetCatalogAsync(Limit);

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest() with { InstanceType = "t4g.nano" }, Limit));

        Assert.Equal(
            (DriverErrorKind.InvalidConfiguration, "a t4g.nano is arm64, and the image ami-1 is for amd64: configure an image for arm64 too, for example by {arch} in a parameter's path, or let the pod ask for kubernetes.io/arch=amd64"),
            (error.Kind, error.Message));
        Assert.Equal(0, Aws.Count("RunInstances"));
    }

    internal const string FakeTypes = """
        <instanceTypeSet><item><instanceType>t4g.nano</instanceType><supportedUsageClasses><item>on-demand</item></supportedUsageClasses><supportedRootDeviceTypes><item>ebs</item></supportedRootDeviceTypes>
        <processorInfo><supportedArchitectures><item>arm64</item></supportedArchitectures></processorInfo><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>512</sizeInMiB></memoryInfo></item></instanceTypeSet>
        """;

    internal const string FakeOfferings = "<instanceTypeOfferingSet><item><instanceType>t4g.nano</instanceType><location>us-east-1a</location></item></instanceTypeOfferingSet>";

    private async Task<DriverException> LaunchAsync(LaunchRequest request, AwsDriverOptions? options = null)
    {
        return await Assert.ThrowsAsync<DriverException>(async () =>
        {
            using var driver = Aws.MakeDriver(options ?? FakeAws.MakeOptions());
            await driver.LaunchAsync(request, Limit);
        });
    }
}
