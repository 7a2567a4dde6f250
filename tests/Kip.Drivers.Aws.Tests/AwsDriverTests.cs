using System.Globalization;
using System.Net;

namespace Kip.Drivers.Aws.Tests;

public sealed class AwsDriverTests : AwsTest
{
    [Fact]
    public async Task Launch_OnDemand_AsksForOneHardenedInstance()
    {
        using var driver = Aws.MakeDriver();

        var instance = await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);

        Assert.Equal(("i-1", InstanceState.Pending, "t3.nano", "us-east-1a", CapacityType.OnDemand), (instance.Id, instance.State, instance.InstanceType, instance.Zone, instance.CapacityType));
        Assert.Equal(("172.31.0.4", "172.31.0.5"), (instance.Address, instance.PodAddress));
        var call = Aws.Last("RunInstances");
        AssertParameters(call, new()
        {
            ["ClientToken"] = "0123456789abcdef0123456789abcdef",
            ["ImageId"] = "ami-1",
            ["InstanceType"] = "t3.nano",
            ["MinCount"] = "1",
            ["MaxCount"] = "1",
            ["InstanceInitiatedShutdownBehavior"] = "terminate",
            ["CreditSpecification.CpuCredits"] = "unlimited",
            ["MetadataOptions.HttpTokens"] = "required",
            ["MetadataOptions.HttpPutResponseHopLimit"] = "1",
            ["BlockDeviceMapping.1.DeviceName"] = "/dev/xvda",
            ["BlockDeviceMapping.1.Ebs.VolumeSize"] = "11",
            ["BlockDeviceMapping.1.Ebs.VolumeType"] = "gp3",
            ["BlockDeviceMapping.1.Ebs.Encrypted"] = "true",
            ["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] = "true",
            ["NetworkInterface.1.DeviceIndex"] = "0",
            ["NetworkInterface.1.SubnetId"] = "subnet-a",
            ["NetworkInterface.1.SecurityGroupId.1"] = "sg-1",
            ["NetworkInterface.1.AssociatePublicIpAddress"] = "true",
            ["NetworkInterface.1.SecondaryPrivateIpAddressCount"] = "1",
            ["NetworkInterface.1.DeleteOnTermination"] = "true",
        });
        Assert.Null(call["InstanceMarketOptions.MarketType"]);
        Assert.Null(call["IamInstanceProfile.Name"]);
    }

    [Fact]
    public async Task Launch_Always_TagsAllThatItMakes()
    {
        using var driver = Aws.MakeDriver(FakeAws.MakeOptions() with { Tags = new Dictionary<string, string> { ["Team"] = "blue", ["Node"] = "not Kip's" } });

        await driver.LaunchAsync(FakeAws.MakeRequest() with { CapacityType = CapacityType.Spot }, Limit);

        var call = Aws.Last("RunInstances");
        var types = new List<string>();
        for (var i = 1; call[$"TagSpecification.{i}.ResourceType"] is { } type; i++)
        {
            types.Add(type);
            var tags = new Dictionary<string, string>();
            for (var j = 1; call[$"TagSpecification.{i}.Tag.{j}.Key"] is { } key; j++)
            {
                tags.Add(key, call[$"TagSpecification.{i}.Tag.{j}.Value"]!);
            }

            Assert.Equal(new Dictionary<string, string>(FakeAws.MakeRequest().Tags) { ["Team"] = "blue" }, tags);
        }

        Assert.Equal(["instance", "volume", "network-interface", "spot-instances-request"], types);
    }

    [Fact]
    public async Task Launch_Spot_AsksForOneTimeRequest()
    {
        using var driver = Aws.MakeDriver();

        var instance = await driver.LaunchAsync(FakeAws.MakeRequest() with { CapacityType = CapacityType.Spot }, Limit);

        Assert.Equal(CapacityType.Spot, instance.CapacityType);
        AssertParameters(Aws.Last("RunInstances"), new()
        {
            ["InstanceMarketOptions.MarketType"] = "spot",
            ["InstanceMarketOptions.SpotOptions.SpotInstanceType"] = "one-time",
            ["InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior"] = "terminate",
        });
    }

    [Fact]
    public async Task Launch_WithOptions_UsesThem()
    {
        Aws.Answer("DescribeSecurityGroups", call => FakeAws.Xml(HttpStatusCode.OK, call.Filter("group-id") is { } group
            ? $"<r><securityGroupInfo><item><groupId>{group}</groupId></item></securityGroupInfo></r>"
            : "<r><securityGroupInfo/></r>"));
        using var driver = Aws.MakeDriver(FakeAws.MakeOptions() with
        {
            InstanceProfile = "arn:aws:iam::123456789012:instance-profile/cells",
            KmsKeyId = "alias/kip",
            ExtraSecurityGroupIds = ["sg-extra"],
            AssignPublicAddress = false,
        });

        await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);

        AssertParameters(Aws.Last("RunInstances"), new()
        {
            ["IamInstanceProfile.Arn"] = "arn:aws:iam::123456789012:instance-profile/cells",
            ["BlockDeviceMapping.1.Ebs.KmsKeyId"] = "alias/kip",
            ["NetworkInterface.1.SecurityGroupId.1"] = "sg-1",
            ["NetworkInterface.1.SecurityGroupId.2"] = "sg-extra",
            ["NetworkInterface.1.AssociatePublicIpAddress"] = "false",
        });
    }

    [Fact]
    public async Task Launch_DiskSmallerThanTheImage_TakesTheImagesSize()
    {
        using var driver = Aws.MakeDriver();

        await driver.LaunchAsync(FakeAws.MakeRequest() with { DiskBytes = 1 << 30 }, Limit);

        Assert.Equal("8", Aws.Last("RunInstances")["BlockDeviceMapping.1.Ebs.VolumeSize"]);
    }

    [Fact]
    public async Task Launch_ByPublicAddress_HasNoneUntilEc2HasGivenOne()
    {
        using var driver = Aws.MakeDriver(FakeAws.MakeOptions() with { ConnectToPublicAddress = true });

        var launched = await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);
        Aws.Answer("DescribeInstances", _ => FakeAws.Instances("", FakeAws.Instance("i-1", "running").Replace("<privateIpAddress>172.31.0.4</privateIpAddress><launchTime>", "<ipAddress>198.51.100.7</ipAddress><launchTime>", StringComparison.Ordinal)));
        var listed = Assert.Single(await driver.ListAsync(Limit));

        Assert.Null(launched.Address);
        Assert.Equal("198.51.100.7", listed.Address);
    }

    [Fact]
    public async Task Launch_RepeatedByAnotherProcess_AsksForTheVerySame()
    {
        using var first = Aws.MakeDriver();
        using var second = Aws.MakeDriver();

        await first.LaunchAsync(FakeAws.MakeRequest(), Limit);
        await second.LaunchAsync(FakeAws.MakeRequest(), Limit);

        var calls = Aws.Calls.Where(call => call.Action == "RunInstances").ToList();
        Assert.Equal(calls[0].Parameters, calls[1].Parameters);
    }

    [Theory]
    [InlineData("IdempotentParameterMismatch")]
    [InlineData("IdempotentInstanceTerminated")]
    public async Task Launch_TokenUsedBefore_ReturnsWhatItMade(string code)
    {
        Aws.Fail("RunInstances", code);
        Aws.Answer("DescribeInstances", call => call.Filter("client-token") == FakeAws.MakeRequest().LaunchToken && call.Filter("tag:KipControllerID") == FakeAws.Controller
            ? FakeAws.Instances("", FakeAws.Instance("i-old", "terminated"))
            : FakeAws.Instances(""));
        using var driver = Aws.MakeDriver();

        var instance = await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);

        Assert.Equal(("i-old", InstanceState.Terminated), (instance.Id, instance.State));
    }

    [Theory]
    [InlineData("IdempotentParameterMismatch", DriverErrorKind.Transient)]
    [InlineData("IdempotentInstanceTerminated", DriverErrorKind.NotFound)]
    public async Task Launch_TokenUsedBeforeAndInstanceNotListed_Fails(string code, DriverErrorKind kind)
    {
        Aws.Fail("RunInstances", code);
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest(), Limit));

        Assert.Equal(kind, error.Kind);
    }

    [Fact]
    public async Task Launch_ZoneWithoutSubnet_IsUnsupported()
    {
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest() with { Zone = "us-east-1f" }, Limit));

        Assert.Equal(DriverErrorKind.Unsupported, error.Kind);
        Assert.Equal("cells have no subnet in the zone us-east-1f of vpc-1; there are subnets in us-east-1a, us-east-1b", error.Message);
    }

    [Fact]
    public async Task Launch_NoCapacity_FailsAtOnceWithoutAnotherTry()
    {
        Aws.Fail("RunInstances", "InsufficientInstanceCapacity", status: HttpStatusCode.InternalServerError);
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest(), Limit));

        Assert.Equal(DriverErrorKind.OutOfCapacity, error.Kind);
        Assert.True(error.SuggestsAlternative);
        Assert.Equal("cannot launch a t3.nano in us-east-1a: EC2 has no such machine free in this zone now (InsufficientInstanceCapacity)", error.Message);
        Assert.Equal(1, Aws.Count("RunInstances"));
    }

    [Theory]
    [InlineData("InternalError", HttpStatusCode.InternalServerError)]
    [InlineData("RequestLimitExceeded", HttpStatusCode.ServiceUnavailable)]
    public async Task Launch_FailsOnce_IsTriedAgainWithTheSameToken(string code, HttpStatusCode status)
    {
        Aws.Fail("RunInstances", code, status: status, times: 1);
        using var driver = Aws.MakeDriver();

        var instance = await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);

        Assert.Equal("i-1", instance.Id);
        Assert.Equal(2, Aws.Count("RunInstances"));
        Assert.Single(Aws.Calls.Where(call => call.Action == "RunInstances").Select(call => call["ClientToken"]).Distinct());
    }

    [Theory]
    [InlineData("<RunInstancesResponse><instancesSet><item><instanceId>i-1</instanceId>")]
    [InlineData("")]
    [InlineData("no XML at all")]
    [InlineData("<RunInstancesResponse><instancesSet/></RunInstancesResponse>")]
    public async Task Launch_AnswerThatSaysTooLittle_IsTransientSinceItMayHaveTakenEffect(string body)
    {
        Aws.Answer("RunInstances", _ => FakeAws.Xml(HttpStatusCode.OK, body));
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest(), Limit));

        Assert.Equal(DriverErrorKind.Transient, error.Kind);
        Assert.StartsWith("cannot launch a t3.nano in us-east-1a: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Launch_ConnectionLost_IsTransient()
    {
        Aws.Answer("RunInstances", _ => throw new HttpRequestException("connection reset"));
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest(), Limit));

        Assert.Equal(DriverErrorKind.Transient, error.Kind);
    }

    [Fact]
    public async Task Launch_GroupDeletedMeanwhile_ReadsTheNetworkAgain()
    {
        Aws.Fail("RunInstances", "InvalidGroup.NotFound", times: 1);
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest(), Limit));
        await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);

        Assert.Equal(DriverErrorKind.Transient, error.Kind);
        Assert.Equal(2, Aws.Count("DescribeSecurityGroups"));
    }

    [Fact]
    public async Task Launch_TagOfAnotherController_IsRefusedWithoutACall()
    {
        using var driver = Aws.MakeDriver();
        var request = FakeAws.MakeRequest() with { Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = "other" } };

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(request, Limit));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
        Assert.Empty(Aws.Calls);
    }

    [Fact]
    public async Task Launch_UserDataTooLarge_SaysByHowMuch()
    {
        using var driver = Aws.MakeDriver();
        var random = new Random(1);
        var noise = Convert.ToHexString(Enumerable.Range(0, 40_000).Select(_ => (byte)random.Next(256)).ToArray());

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest() with { UserData = noise }, Limit));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
        Assert.Contains("EC2 allows 16384", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, Aws.Count("RunInstances"));
    }

    [Fact]
    public async Task Launch_Hundred_NeedsOneCallForEachAndAFewForAll()
    {
        using var driver = Aws.MakeDriver();

        for (var i = 0; i < 100; i++)
        {
            await driver.ResolveImageAsync("", Limit);
            await driver.LaunchAsync(FakeAws.MakeRequest() with { LaunchToken = i.ToString("x32", CultureInfo.InvariantCulture) }, Limit);
        }

        Assert.Equal(100, Aws.Count("RunInstances"));
        Assert.Equal(105, Aws.Calls.Count);
    }

    [Fact]
    public async Task List_SeveralPages_IsOneList()
    {
        Aws.Answer("DescribeInstances", call => call["NextToken"] switch
        {
            null => Page(FakeAws.Instance("i-1", "running"), "<nextToken>2</nextToken>"),
            "2" => Page(FakeAws.Instance("i-2", "shutting-down"), "<nextToken>3</nextToken>"),
            _ => Page(FakeAws.Instance("i-3", "terminated"), "<nextToken/>"),
        });
        using var driver = Aws.MakeDriver();

        var list = await driver.ListAsync(Limit);

        Assert.Equal(
            [("i-1", InstanceState.Running), ("i-2", InstanceState.Terminating), ("i-3", InstanceState.Terminated)],
            list.Select(instance => (instance.Id, instance.State)));
        Assert.Equal(3, Aws.Calls.Count);
        Assert.All(Aws.Calls, call => Assert.Equal(FakeAws.Controller, call.Filter("tag:KipControllerID")));

        static HttpResponseMessage Page(string instance, string next) => FakeAws.Xml(
            HttpStatusCode.OK, $"<r><reservationSet><item><instancesSet>{instance}</instancesSet></item></reservationSet>{next}</r>");
    }

    [Fact]
    public async Task List_SecondPageFails_IsNoList()
    {
        Aws.Answer("DescribeInstances", call => call["NextToken"] is null
            ? FakeAws.Xml(HttpStatusCode.OK, "<r><reservationSet/><nextToken>2</nextToken></r>")
            : FakeAws.Error("UnauthorizedOperation", "no", HttpStatusCode.Forbidden));
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.ListAsync(Limit));

        Assert.Equal(DriverErrorKind.Unauthorized, error.Kind);
    }

    [Theory]
    [InlineData("stopping")]
    [InlineData("stopped")]
    [InlineData("something-new")]
    public async Task List_InstanceThatDoesNotRun_IsOnItsWayOut(string state)
    {
        Aws.Answer("DescribeInstances", _ => FakeAws.Instances("", FakeAws.Instance("i-1", state)));
        using var driver = Aws.MakeDriver();

        var instance = Assert.Single(await driver.ListAsync(Limit));

        Assert.Equal(InstanceState.Terminating, instance.State);
    }

    [Fact]
    public async Task List_EndedInstance_SaysWhy()
    {
        Aws.Answer("DescribeInstances", _ => FakeAws.Instances("", FakeAws.Instance("i-1", "terminated").Replace(
            "<placement>", "<stateReason><code>Server.SpotInstanceTermination</code><message>Server.SpotInstanceTermination: Spot instance termination</message></stateReason><placement>", StringComparison.Ordinal)));
        using var driver = Aws.MakeDriver();

        var instance = Assert.Single(await driver.ListAsync(Limit));

        Assert.Equal("Server.SpotInstanceTermination: Spot instance termination", instance.StateReason);
    }

    [Fact]
    public async Task Terminate_WhatItLaunched_IsOneCall()
    {
        using var driver = Aws.MakeDriver();
        await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);
        var before = Aws.Calls.Count;

        await driver.TerminateAsync(["i-1", "i-1"], Limit);

        Assert.Equal(before + 1, Aws.Calls.Count);
        AssertParameters(Aws.Last("TerminateInstances"), new() { ["InstanceId.1"] = "i-1", ["InstanceId.2"] = null });
    }

    [Fact]
    public async Task Terminate_WhatItDoesNotKnow_AsksWhoseItIsFirst()
    {
        Aws.Answer("DescribeInstances", call => call.Filter("tag:KipControllerID") == FakeAws.Controller && call.Filter("instance-id") == "i-foreign"
            ? FakeAws.Instances("", FakeAws.Instance("i-own", "running"))
            : FakeAws.Instances(""));
        using var driver = Aws.MakeDriver();

        await driver.TerminateAsync(["i-foreign", "i-own"], Limit);

        AssertParameters(Aws.Last("TerminateInstances"), new() { ["InstanceId.1"] = "i-own", ["InstanceId.2"] = null });
    }

    [Fact]
    public async Task Terminate_OnlyWhatIsNotItsOwn_TerminatesNothing()
    {
        using var driver = Aws.MakeDriver();

        await driver.TerminateAsync(["i-foreign"], Limit);

        Assert.Equal(0, Aws.Count("TerminateInstances"));
    }

    [Fact]
    public async Task Terminate_Many_GoesInBatches()
    {
        var ids = Enumerable.Range(0, 250).Select(i => $"i-{i}").ToArray();
        Aws.Answer("DescribeInstances", _ => FakeAws.Instances("", [.. ids.Select(id => FakeAws.Instance(id, "running"))]));
        using var driver = Aws.MakeDriver();
        await driver.ListAsync(Limit);

        await driver.TerminateAsync(ids, Limit);

        Assert.Equal(3, Aws.Count("TerminateInstances"));
    }

    [Fact]
    public async Task Terminate_OneOfThemRefused_TheOthersGo()
    {
        Aws.Answer("DescribeInstances", _ => FakeAws.Instances("", FakeAws.Instance("i-1", "running"), FakeAws.Instance("i-2", "running"), FakeAws.Instance("i-3", "running")));
        var gone = new List<string>();
        Aws.Answer("TerminateInstances", call =>
        {
            var ids = call.Parameters.Where(parameter => parameter.Key.StartsWith("InstanceId.", StringComparison.Ordinal)).Select(parameter => parameter.Value).ToList();
            if (ids.Contains("i-2"))
            {
                return FakeAws.Error("OperationNotPermitted", "The instance 'i-2' may not be terminated.", HttpStatusCode.BadRequest);
            }

            if (ids.Contains("i-3"))
            {
                return FakeAws.Error("InvalidInstanceID.NotFound", "The instance ID 'i-3' does not exist", HttpStatusCode.BadRequest);
            }

            gone.AddRange(ids);
            return FakeAws.Xml(HttpStatusCode.OK, "<r><instancesSet/></r>");
        });
        using var driver = Aws.MakeDriver();
        await driver.ListAsync(Limit);

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.TerminateAsync(["i-1", "i-2", "i-3"], Limit));

        Assert.Equal(["i-1"], gone);
        Assert.Equal("cannot terminate i-2: The instance 'i-2' may not be terminated. (OperationNotPermitted)", error.Message);
    }

    [Fact]
    public async Task AnyCall_WithAnEndpointOfItsOwn_IsSignedForTheRegion()
    {
        string? authorization = null;
        Uri? address = null;
        using var handler = new Spy(request =>
        {
            authorization = string.Join(' ', request.Headers.GetValues("Authorization"));
            address = request.RequestUri;
            return FakeAws.Instances("");
        });
        using var driver = new AwsDriver(
            FakeAws.MakeOptions() with { Region = "eu-central-1" }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<AwsDriver>.Instance, () => handler);

        await driver.ListAsync(Limit);

        Assert.Equal("https://ec2.eu-central-1.amazonaws.com/", address?.ToString());
        Assert.Contains("AKIATEST", authorization, StringComparison.Ordinal);
        Assert.Contains("/eu-central-1/ec2/aws4_request", authorization, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cn-north-1", "https://ec2.cn-north-1.amazonaws.com.cn/")]
    [InlineData("us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com/")]
    [InlineData("mx-central-1", "https://ec2.mx-central-1.amazonaws.com/")]
    public async Task AnyCall_InAnotherPartition_GoesThere(string region, string expected)
    {
        Uri? address = null;
        using var handler = new Spy(request =>
        {
            address = request.RequestUri;
            return FakeAws.Instances("");
        });
        using var driver = new AwsDriver(
            FakeAws.MakeOptions() with { Region = region }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<AwsDriver>.Instance, () => handler);

        await driver.ListAsync(Limit);

        Assert.Equal(expected, address?.ToString());
    }

    public static TheoryData<string, AwsDriverOptions> WrongOptions => new()
    {
        { "controller id", FakeAws.MakeOptions() with { ControllerId = "" } },
        { "name of a region", FakeAws.MakeOptions() with { Region = "US East" } },
        { "http:// or https://", FakeAws.MakeOptions() with { EndpointUrl = new Uri("ftp://example.com") } },
        { "5 extra security groups", FakeAws.MakeOptions() with { ExtraSecurityGroupIds = ["a", "b", "c", "d", "e"] } },
        { "\"10.0.0.0\" is no IPv4 range", FakeAws.MakeOptions() with { ExtraCidrs = ["10.0.0.0"] } },
        { "SHA-256", FakeAws.MakeOptions() with { AgentUrl = new Uri("https://example.com/agent") } },
        { "SHA-256", FakeAws.MakeOptions() with { AgentUrl = new Uri("https://example.com/agent"), AgentSha256 = "abc" } },
    };

    [Theory, MemberData(nameof(WrongOptions), DisableDiscoveryEnumeration = true)]
    public void Driver_WrongOption_IsRefused(string problem, AwsDriverOptions options)
    {
        var error = Assert.Throws<DriverException>(() => Aws.MakeDriver(options));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    private static void AssertParameters(Ec2Call call, Dictionary<string, string?> expected) =>
        Assert.Equal(expected, expected.Keys.ToDictionary(name => name, name => call[name]));

    private sealed class Spy(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(answer(request));
    }
}
