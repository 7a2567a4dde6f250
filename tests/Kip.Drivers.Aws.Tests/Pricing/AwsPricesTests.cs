using System.Net;
using System.Text.Json;
using Amazon.Pricing.Model;
using Kip.Testing;

namespace Kip.Drivers.Aws.Tests.Pricing;

public sealed class AwsPricesTests : IDisposable
{
    private readonly FakeAws _aws = new();
    private readonly VirtualClock _clock = new();

    public AwsPricesTests()
    {
        _aws.Answer("DescribeInstanceTypes", """
            <instanceTypeSet><item><instanceType>t3.nano</instanceType><supportedUsageClasses><item>on-demand</item></supportedUsageClasses><supportedRootDeviceTypes><item>ebs</item></supportedRootDeviceTypes>
            <processorInfo><supportedArchitectures><item>x86_64</item></supportedArchitectures></processorInfo><vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>512</sizeInMiB></memoryInfo></item></instanceTypeSet>
            """);
        _aws.Answer("DescribeInstanceTypeOfferings", "<instanceTypeOfferingSet><item><instanceType>t3.nano</instanceType><location>us-east-1a</location></item></instanceTypeOfferingSet>");
        _aws.Answer("DescribeSpotPriceHistory", "<spotPriceHistorySet/>");
    }

    public void Dispose() => _aws.Dispose();

    [Fact]
    public async Task Catalog_WithThePriceList_HasLivePrices_AskedForTwiceADay()
    {
        Answer("0.0104000000");
        using var driver = MakeDriver();

        var first = await OfferAsync(driver);
        Answer("0.0100000000");
        await _clock.AdvanceAsync(TimeSpan.FromHours(11));
        var kept = await OfferAsync(driver);
        await _clock.AdvanceAsync(TimeSpan.FromHours(2));
        var second = await OfferAsync(driver);

        Assert.Equal((0.0104m, "live"), (first.PricePerHour, first.Basis.ToString()));
        Assert.Equal((0.0104m, 0.01m), (kept.PricePerHour, second.PricePerHour));
        Assert.Equal(2, _aws.Count("GetProducts"));
    }

    [Fact]
    public async Task Catalog_WithoutThePriceList_HasTheBuiltInPrices_WithTheirMonth()
    {
        _aws.Answer("GetProducts", _ => FakeAws.Json(HttpStatusCode.BadRequest, """{"__type":"AccessDeniedException","Message":"User is not authorized to perform: pricing:GetProducts"}"""));
        using var driver = MakeDriver();

        var offer = await OfferAsync(driver);
        Answer("0.0104");
        var later = await OfferAsync(driver);

        Assert.Equal((0.0052m, "2026-07"), (offer.PricePerHour, offer.Basis.ToString()));
        Assert.Equal((0.0104m, "live"), (later.PricePerHour, later.Basis.ToString()));
    }

    [Fact]
    public async Task Catalog_ThatCannotReadThePriceListAnew_KeepsThePrices_AndSaysOfWhichMonth()
    {
        Answer("0.0104");
        using var driver = MakeDriver();
        await OfferAsync(driver);
        _aws.Answer("GetProducts", _ => FakeAws.Json(HttpStatusCode.BadRequest, """{"__type":"ValidationException","Message":"no"}"""));

        await _clock.AdvanceAsync(TimeSpan.FromHours(20));
        var today = await OfferAsync(driver);
        await _clock.AdvanceAsync(TimeSpan.FromDays(3));
        var old = await OfferAsync(driver);

        Assert.Equal((0.0104m, "live"), (today.PricePerHour, today.Basis.ToString()));
        Assert.Equal(0.0104m, old.PricePerHour);
        Assert.Matches("^20[0-9]{2}-[0-9]{2}$", old.Basis.ToString());
    }

    [Fact]
    public async Task Catalog_WithPricesOfOnesOwn_AsksForNoOthers()
    {
        Answer("0.0104");
        using var driver = MakeDriver(FakeAws.MakeOptions() with { LivePrices = false });

        Assert.Equal(0.0052m, (await OfferAsync(driver)).PricePerHour);
        Assert.Equal(0, _aws.Count("GetProducts"));
    }

    [Theory]
    [InlineData("eu-west-3", "eu-central-1")]
    [InlineData("ap-southeast-2", "ap-south-1")]
    [InlineData("sa-east-1", "us-east-1")]
    [InlineData("us-gov-west-1", null)]
    [InlineData("cn-north-1", null)]
    public async Task PriceList_OfARegion_IsAskedForAtTheNearestPlace(string region, string? place)
    {
        using var driver = MakeDriver(FakeAws.MakeOptions() with { Region = region });

        await driver.GetCatalogAsync(default);

        Assert.Equal(place, _aws.Calls.FirstOrDefault(call => call.Action == "GetProducts")?.Scope.Region);
        if (place is not null)
        {
            var call = _aws.Last("GetProducts");
            Assert.Equal($"api.pricing.{place}.amazonaws.com", call.Address!.Host);
            Assert.Contains($$"""{"Type":"TERM_MATCH","Field":"regionCode","Value":"{{region}}"}""", call["Body"]!, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("\"operatingSystem\":\"Linux\"", "\"operatingSystem\":\"Windows\"")]
    [InlineData("\"tenancy\":\"Shared\"", "\"tenancy\":\"Dedicated\"")]
    [InlineData("\"preInstalledSw\":\"NA\"", "\"preInstalledSw\":\"SQL Web\"")]
    [InlineData("\"capacitystatus\":\"Used\"", "\"capacitystatus\":\"UnusedCapacityReservation\"")]
    [InlineData("\"unit\":\"Hrs\"", "\"unit\":\"Quantity\"")]
    [InlineData("\"USD\"", "\"CNY\"")]
    [InlineData("\"0.0104\"", "\"0.0000000000\"")]
    [InlineData("\"0.0104\"", "\"cheap\"")]
    [InlineData("\"terms\"", "\"conditions\"")]
    [InlineData("\"product\"", "\"thing\"")]
    public void Read_ItemOfAnotherKind_IsNone(string what, string instead) => Assert.Null(PriceListItem.Read(Item("t3.nano", "0.0104").Replace(what, instead, StringComparison.Ordinal)));

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"product":[],"terms":{"OnDemand":[1]}}""")]
    public void Read_JsonThatIsNoItem_IsNone(string json) => Assert.Null(PriceListItem.Read(json));

    [Fact]
    public void Read_Item_HasTypeAndPrice() => Assert.Equal(new PriceListItem("m5.large", 0.096m), PriceListItem.Read(Item("m5.large", "0.0960000000")));

    [ServiceModelFact]
    public void Read_AnswerWithEveryMember_HasAll()
    {
        var answer = JsonSerializer.Deserialize(ServiceModel.Read("pricing-2017-10-15").MakeJsonAnswer("GetProducts"), PricingJsonContext.Default.GetProductsResponse)!;

        Assert.Equal(("text of FormatVersion", "text of String", 2), (answer.FormatVersion, answer.NextToken, answer.PriceList!.Count));
    }

    // As AWS's documentation of the price list shows an item, with what else there is in one.
    private static string Item(string type, string price) => """
        {"product":{"productFamily":"Compute Instance","attributes":{"enhancedNetworkingSupported":"Yes","memory":"0.5 GiB","vcpu":"2","capacitystatus":"Used","locationType":"AWS Region",
        "instanceType":"TYPE","tenancy":"Shared","usagetype":"BoxUsage:TYPE","operatingSystem":"Linux","preInstalledSw":"NA","regionCode":"us-east-1","servicecode":"AmazonEC2","operation":"RunInstances"},
        "sku":"SKU1"},"serviceCode":"AmazonEC2","terms":{"OnDemand":{"SKU1.JRTCKXETXF":{"priceDimensions":{"SKU1.JRTCKXETXF.6YS6EN2CT7":{"unit":"Hrs","endRange":"Inf","description":"$ per On Demand Linux","appliesTo":[],
        "rateCode":"SKU1.JRTCKXETXF.6YS6EN2CT7","beginRange":"0","pricePerUnit":{"USD":"PRICE"}}},"sku":"SKU1","effectiveDate":"2026-11-01T00:00:00Z","offerTermCode":"JRTCKXETXF","termAttributes":{}}},
        "Reserved":{"SKU1.R":{"priceDimensions":{"a":{"unit":"Hrs","pricePerUnit":{"USD":"0.001"}}}}}},"version":"20261120","publicationDate":"2026-11-20T00:00:00Z"}
        """.ReplaceLineEndings(" ").Replace("TYPE", type, StringComparison.Ordinal).Replace("PRICE", price, StringComparison.Ordinal);

    private void Answer(string price) => _aws.Answer("GetProducts", _ => FakeAws.Json(
        HttpStatusCode.OK, $$"""{"FormatVersion":"aws_v1","PriceList":[{{JsonSerializer.Serialize(Item("t3.nano", price))}},{{JsonSerializer.Serialize(Item("m5.large", "0.096"))}}]}"""));

    private static async Task<Offering> OfferAsync(AwsDriver driver) => Assert.Single(Assert.Single((await driver.GetCatalogAsync(default)).Types).Offerings);

    private AwsDriver MakeDriver(AwsDriverOptions? options = null) => _aws.MakeDriver(
        (options ?? FakeAws.MakeOptions()) with
        {
            PriceList = new Kip.Sizing.InstanceCatalog("us-east-1",
            [
                new InstanceType
                {
                    Name = "t3.nano", MilliCpu = 2000, MemoryBytes = 512L << 20, Architecture = "amd64",
                    Offerings = [new Offering("us-east-1a", CapacityType.OnDemand, 0.0052m) { Basis = new PriceBasis(new DateOnly(2026, 7, 1), false) }],
                },
            ]),
        },
        _clock);
}
