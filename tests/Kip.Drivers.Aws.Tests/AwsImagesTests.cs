namespace Kip.Drivers.Aws.Tests;

public sealed class AwsImagesTests : AwsTest
{
    [Fact]
    public async Task ResolveImage_Id_IsLookedAtOnce()
    {
        using var driver = Aws.MakeDriver();

        Assert.Equal("ami-1", await driver.ResolveImageAsync("ami-1", Limit));
        Assert.Equal("ami-1", await driver.ResolveImageAsync("ami-1", Limit));
        await driver.LaunchAsync(FakeAws.MakeRequest(), Limit);

        Assert.Equal("ami-1", Assert.Single(Aws.Calls, call => call.Action == "DescribeImages")["ImageId.1"]);
    }

    [Fact]
    public async Task ResolveImage_Parameter_AsksSystemsManager()
    {
        using var driver = Aws.MakeDriver();

        Assert.Equal("ami-1", await driver.ResolveImageAsync("/aws/service/debian/release/12/latest/amd64", Limit));

        Assert.Equal("""{"Name":"/aws/service/debian/release/12/latest/amd64"}""", Aws.Last("GetParameter")["Body"]);
    }

    [Theory]
    [InlineData("""{"__type":"ParameterNotFound"}""", DriverErrorKind.NotFound)]
    [InlineData("""{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"no"}""", DriverErrorKind.NotFound)]
    [InlineData("""{"__type":"AccessDeniedException","Message":"User: u is not authorized to perform: ssm:GetParameter on resource: r"}""", DriverErrorKind.Unauthorized)]
    [InlineData("<html>a proxy</html>", DriverErrorKind.InvalidConfiguration)]
    public async Task ResolveImage_ParameterRefused_IsExplained(string body, DriverErrorKind kind)
    {
        Aws.Answer("GetParameter", _ => FakeAws.Json(System.Net.HttpStatusCode.BadRequest, body));
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.ResolveImageAsync("/p", Limit));

        Assert.Equal(kind, error.Kind);
        Assert.StartsWith("cannot find the image that the parameter /p names: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ResolveImage_Name_IsTheNewestAvailableOwnOne()
    {
        Aws.Answer("DescribeImages", $"<imagesSet>{Image("ami-old", "2024")}{Image("ami-new", "2026")}{Image("ami-pending", "2027", "pending")}{Image("ami-mid", "2025")}</imagesSet>");
        using var driver = Aws.MakeDriver();

        Assert.Equal("ami-new", await driver.ResolveImageAsync("kip-*", Limit));

        var call = Aws.Last("DescribeImages");
        Assert.Equal(("self", "kip-*"), (call["Owner.1"], call.Filter("name")));
    }

    [Fact]
    public async Task ResolveImage_ImagesOfSeveralArchitectures_IsTheNewestOfEach()
    {
        Aws.Answer("DescribeImages", $"<imagesSet>{Image("ami-arm", "2026", architecture: "arm64")}{Image("ami-old", "2024", architecture: "x86_64")}{Image("ami-amd", "2025", architecture: "x86_64")}</imagesSet>");
        using var driver = Aws.MakeDriver();

        Assert.Equal("ami-amd,ami-arm", await driver.ResolveImageAsync("kip-*", Limit));
    }

    [Theory]
    [InlineData("t4g.nano", "ami-arm")]
    [InlineData("t3.nano", "ami-amd")]
    public async Task Launch_ParameterForEachArchitecture_BootsTheImageOfTheTypes(string type, string image)
    {
        Aws.Answer("GetParameter", call => FakeAws.Json(
            System.Net.HttpStatusCode.OK, call["Body"]!.Contains("amd64", StringComparison.Ordinal) ? """{"Parameter":{"Value":"ami-amd"}}""" : """{"Parameter":{"Value":"ami-arm"}}"""));
        Aws.Answer("DescribeImages", call => FakeAws.Xml(
            System.Net.HttpStatusCode.OK, $"<r><imagesSet>{Image(call["ImageId.1"]!, "2026", architecture: call["ImageId.1"] == "ami-amd" ? "x86_64" : "arm64")}</imagesSet></r>"));
        Aws.Answer("DescribeInstanceTypes", call => FakeAws.Xml(System.Net.HttpStatusCode.OK, $"<r>{BadInputTests.FakeTypes.Replace("<item>arm64</item>", call.Filter("instance-type") == "t3.nano" ? "<item>i386</item><item>x86_64</item>" : "<item>arm64</item>", StringComparison.Ordinal)}</r>"));
        using var driver = Aws.MakeDriver(FakeAws.MakeOptions() with { Image = "/kip/{arch}" });

        var ids = await driver.ResolveImageAsync("", Limit);
        await driver.LaunchAsync(FakeAws.MakeRequest() with { ImageId = ids, InstanceType = type }, Limit);

        Assert.Equal("ami-amd,ami-arm", ids);
        Assert.Equal(image, Aws.Last("RunInstances")["ImageId"]);
    }

    [Fact]
    public async Task ResolveImage_ParameterForOneArchitectureOnly_IsThatImage()
    {
        Aws.Answer("GetParameter", call => call["Body"]!.Contains("arm64", StringComparison.Ordinal)
            ? FakeAws.Json(System.Net.HttpStatusCode.BadRequest, """{"__type":"ParameterNotFound"}""")
            : FakeAws.Json(System.Net.HttpStatusCode.OK, """{"Parameter":{"Value":"ami-1"}}"""));
        using var driver = Aws.MakeDriver();

        Assert.Equal("ami-1", await driver.ResolveImageAsync("/kip/{arch}", Limit));
    }

    [Fact]
    public async Task ResolveImage_NothingMatches_IsNotFound()
    {
        Aws.Answer("DescribeImages", "<imagesSet/>");
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.ResolveImageAsync("kip-*", Limit));

        Assert.Equal((DriverErrorKind.NotFound, "no image in us-east-1 matches kip-*"), (error.Kind, error.Message));
    }

    [Fact]
    public async Task ResolveImage_WithoutARootDisk_IsRefused()
    {
        Aws.Answer("DescribeImages", "<imagesSet><item><imageId>ami-1</imageId></item></imagesSet>");
        using var driver = Aws.MakeDriver();

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.ResolveImageAsync("ami-1", Limit));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
    }

    [Fact]
    public void Parse_BootImageSpec_IsReadAsTheGoKipDid()
    {
        var request = ImageQuery.Parse("owners=689494258501 self; filters=name=elotl-kip-* architecture=x86_64,arm64; executableUsers=all; imageIDs=ami-1 ami-2");

        Assert.Equal(["689494258501", "self"], request.Owners);
        Assert.Equal(["all"], request.ExecutableUsers);
        Assert.Equal(["ami-1", "ami-2"], request.ImageIds);
        Assert.Equal([("name", "elotl-kip-*"), ("architecture", "x86_64|arm64")], request.Filters!.Select(filter => (filter.Name, string.Join('|', filter.Values))));
    }

    [Theory]
    [InlineData("owner=self", "owner is none of owners, filters, executableUsers, imageIDs")]
    [InlineData("filters=name", "\"name\" is not name=value")]
    [InlineData("owners=", "\"owners=\" is not name=value")]
    public void Parse_WrongSpec_SaysWhatIsWrong(string reference, string problem)
    {
        var error = Assert.Throws<DriverException>(() => ImageQuery.Parse(reference));

        Assert.Equal(DriverErrorKind.InvalidConfiguration, error.Kind);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    private static string Image(string id, string year, string state = "available", string architecture = "x86_64") =>
        $"<item><imageId>{id}</imageId><imageState>{state}</imageState><creationDate>{year}-01-01T00:00:00.000Z</creationDate><rootDeviceName>/dev/sda1</rootDeviceName><architecture>{architecture}</architecture></item>";
}
