using System.Xml.Linq;

namespace Kip.Drivers.Aws.Tests;

/// <summary>What moto shows of a launch, seen past the driver, and a whole life of a cell in numbers.</summary>
[Collection(MotoServer.Collection)]
public sealed class MotoTests(MotoServer server, Xunit.Abstractions.ITestOutputHelper output) : IDisposable
{
    private readonly IdempotentMoto _moto = new(server);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(2));

    public void Dispose()
    {
        _moto.Dispose();
        _limit.Dispose();
    }

    [MotoFact]
    public async Task Launch_Always_TagsWhatItMakesInTheCall()
    {
        var controller = NewController();
        using var driver = _moto.MakeDriver(controller);

        var instance = await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);

        var resources = (await QueryAsync("DescribeTags", ("Filter.1.Name", "key"), ("Filter.1.Value.1", InstanceTags.ControllerId), ("Filter.2.Name", "value"), ("Filter.2.Value.1", controller)))
            .Descendants().Where(element => element.Name.LocalName == "resourceType").Select(element => element.Value).Order().ToList();
        // moto does not tag interfaces; that they are to be tagged is in the request, which AwsDriverTests look at.
        Assert.Equal(["instance", "security-group", "volume"], resources);
        await driver.TerminateAsync([instance.Id], _limit.Token);
    }

    [MotoFact]
    public async Task Launch_Always_BootsWithTheCellsConfiguration()
    {
        using var driver = _moto.MakeDriver(NewController());
        var request = await MakeRequestAsync(driver);

        var instance = await driver.LaunchAsync(request, _limit.Token);

        var attribute = await QueryAsync("DescribeInstanceAttribute", ("InstanceId", instance.Id), ("Attribute", "userData"));
        Assert.Equal(
            CellUserData.Encode(request.UserData, null, null),
            attribute.Descendants().Single(element => element.Name.LocalName == "userData").Elements().Single().Value);
        await driver.TerminateAsync([instance.Id], _limit.Token);
    }

    [MotoFact]
    public async Task ResolveImage_PublicParameter_IsItsImage()
    {
        using var driver = _moto.MakeDriver(NewController());

        var id = await driver.ResolveImageAsync("/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2", _limit.Token);

        Assert.StartsWith("ami-", id, StringComparison.Ordinal);
    }

    [MotoFact]
    public async Task RegistryLogin_OfAnotherAccountsRegistry_IsALoginForTwelveHours()
    {
        using var driver = _moto.MakeDriver(NewController());

        var login = await driver.GetRegistryLoginAsync("210987654321.dkr.ecr.eu-west-1.amazonaws.com", _limit.Token);

        Assert.Equal("AWS", login!.Username);
        Assert.NotEmpty(login.Password);
        // moto says that it ended in 2015.
        Assert.InRange(login.ExpiresAt - TimeProvider.System.GetUtcNow(), TimeSpan.FromHours(11), TimeSpan.FromHours(12));
    }

    [MotoTheory]
    [InlineData("/aws/service/no/such/parameter")]
    [InlineData("ami-00000000000000000")]
    public async Task ResolveImage_Unknown_IsNotFound(string reference)
    {
        using var driver = _moto.MakeDriver(NewController());

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.ResolveImageAsync(reference, _limit.Token));

        Assert.Equal(DriverErrorKind.NotFound, error.Kind);
    }

    [MotoFact]
    public async Task SecurityGroup_ChangedByHand_IsMendedByTheNextProcess()
    {
        var controller = NewController();
        using (var first = _moto.MakeDriver(controller))
        {
            await first.LaunchAsync(await MakeRequestAsync(first), _limit.Token);
        }

        var group = (await DescribeGroupAsync(controller)).Descendants().First(element => element.Name.LocalName == "groupId").Value;
        await QueryAsync("AuthorizeSecurityGroupIngress", ("GroupId", group), ("IpPermissions.1.IpProtocol", "tcp"), ("IpPermissions.1.FromPort", "22"), ("IpPermissions.1.ToPort", "22"), ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"));
        Assert.Contains("0.0.0.0/0", await IngressAsync());
        using var second = _moto.MakeDriver(controller);
        var instance = await second.LaunchAsync(await MakeRequestAsync(second), _limit.Token);

        Assert.Equal(["172.31.0.0/16"], await IngressAsync());
        await second.TerminateAsync([.. (await second.ListAsync(_limit.Token)).Select(cell => cell.Id)], _limit.Token);
        Assert.NotEqual("", instance.Id);

        async Task<List<string>> IngressAsync() =>
        [
            .. (await DescribeGroupAsync(controller)).Descendants().Single(element => element.Name.LocalName == "ipPermissions")
                .Descendants().Where(element => element.Name.LocalName == "cidrIp").Select(element => element.Value),
        ];
    }

    [MotoFact]
    public async Task Requests_OfAHundredCells_AreOneToLaunchAndFewForTheRest()
    {
        using var driver = _moto.MakeDriver(NewController());
        var cells = new List<Instance>();
        for (var i = 0; i < 100; i++)
        {
            cells.Add(await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token));
        }

        var launching = _moto.Calls.Count;
        await driver.ListAsync(_limit.Token);
        var listing = _moto.Calls.Count - launching;
        await driver.TerminateAsync([.. cells.Select(cell => cell.Id)], _limit.Token);
        var ending = _moto.Calls.Count - launching - listing;

        output.WriteLine($"requests to EC2 for 100 cells: {launching} to launch, {launching / 100.0:0.00} for each; {listing} for each list of all; {ending} to terminate all");
        // The eighth is for the architecture of the type, since the catalog was not read.
        Assert.Equal((100 + 8, 1, 1), (launching, listing, ending));
    }

    [MotoFact]
    public async Task Launch_AnswerLost_IsRepeatedAndMakesOneInstance()
    {
        using var driver = _moto.MakeDriver(NewController());
        var request = await MakeRequestAsync(driver);
        _moto.LoseAnswers("RunInstances", 1);

        var instance = await driver.LaunchAsync(request, _limit.Token);

        Assert.Equal(2, _moto.Calls.Count(call => call.Action == "RunInstances"));
        Assert.Equal(instance.Id, Assert.Single(await driver.ListAsync(_limit.Token)).Id);
        await driver.TerminateAsync([instance.Id], _limit.Token);
    }

    [MotoFact]
    public async Task Launch_AllAnswersLost_IsTransientAndFoundLater()
    {
        using var driver = _moto.MakeDriver(NewController());
        var request = await MakeRequestAsync(driver);
        _moto.LoseAnswers("RunInstances", 4);

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(request, _limit.Token));
        var instance = await driver.LaunchAsync(request, _limit.Token);

        Assert.Equal(DriverErrorKind.Transient, error.Kind);
        Assert.Equal(instance.Id, Assert.Single(await driver.ListAsync(_limit.Token)).Id);
        await driver.TerminateAsync([instance.Id], _limit.Token);
    }

    [MotoFact]
    public async Task Route_OfTwoCells_IsTheLastOnes_UntilItIsTakenAway()
    {
        using var driver = _moto.MakeDriver(NewController());
        var first = await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);
        var second = await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);

        await driver.RouteAsync(first.Id, ["10.231.0.0/16"], _limit.Token);
        Assert.Equal([first.Id], await RoutedAsync());
        await driver.RouteAsync(second.Id, ["10.231.0.0/16"], _limit.Token);
        Assert.Equal([second.Id], await RoutedAsync());
        await driver.UnrouteAsync(first.Id, ["10.231.0.0/16"], _limit.Token);
        Assert.Equal([second.Id], await RoutedAsync());
        await driver.UnrouteAsync(second.Id, ["10.231.0.0/16"], _limit.Token);
        Assert.Empty(await RoutedAsync());

        var check = await QueryAsync("DescribeInstanceAttribute", ("InstanceId", second.Id), ("Attribute", "sourceDestCheck"));
        Assert.Equal("false", check.Descendants().Single(element => element.Name.LocalName == "sourceDestCheck").Elements().Single().Value);
        await driver.TerminateAsync([first.Id, second.Id], _limit.Token);

        async Task<List<string>> RoutedAsync() =>
        [
            .. (await QueryAsync("DescribeRouteTables")).Descendants().Where(element => element.Name.LocalName == "destinationCidrBlock" && element.Value == "10.231.0.0/16")
                .Select(range => range.Parent!.Elements().Single(element => element.Name.LocalName == "instanceId").Value),
        ];
    }

    [MotoFact]
    public async Task Check_AccountOfMoto_IsReadyForCells()
    {
        using var driver = _moto.MakeDriver(NewController());

        var before = await driver.CheckAsync(_limit.Token);
        var instance = await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);
        var after = await driver.CheckAsync(_limit.Token);

        Assert.All(before.Concat(after), check => Assert.True(check.Ok, $"{check.Name}: {check.Detail}"));
        Assert.Equal(["credentials", "network", "security group", "image", "ec2:RunInstances", "ec2:CreateSecurityGroup", "vCPUs on demand", "vCPUs at the spot market", "registry logins", "prices"], before.Select(check => check.Name));
        Assert.Equal(
            [
                "credentials", "network", "security group", "image", "ec2:RunInstances", "ec2:TerminateInstances", "volumes", "ec2:AttachVolume", "ec2:DetachVolume",
                "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "vCPUs on demand", "vCPUs at the spot market", "registry logins", "prices",
            ],
            after.Select(check => check.Name));
        Assert.Equal(instance.Id, Assert.Single(await driver.ListAsync(_limit.Token)).Id);
        await driver.TerminateAsync([instance.Id], _limit.Token);
    }

    private static string NewController() => $"moto-{Guid.NewGuid():n}"[..20];

    private async Task<LaunchRequest> MakeRequestAsync(AwsDriver driver) => FakeAws.MakeRequest() with
    {
        LaunchToken = Guid.NewGuid().ToString("n"),
        ImageId = await driver.ResolveImageAsync("", _limit.Token),
        Tags = new Dictionary<string, string>(FakeAws.MakeRequest().Tags) { [InstanceTags.ControllerId] = driver.Description.ControllerId },
    };

    private Task<XElement> DescribeGroupAsync(string controller) =>
        QueryAsync("DescribeSecurityGroups", ("Filter.1.Name", "group-name"), ("Filter.1.Value.1", $"kip-{controller}-cellsecuritygroup"));

    private Task<XElement> QueryAsync(string action, params (string Name, string Value)[] parameters) =>
        server.QueryAsync("ec2", "2016-11-15", action, _limit.Token, parameters);
}
