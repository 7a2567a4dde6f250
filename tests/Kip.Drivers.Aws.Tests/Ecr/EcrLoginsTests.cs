using System.Net;
using Amazon.ECR.Model;
using Kip.Testing;

namespace Kip.Drivers.Aws.Tests.Ecr;

public sealed class EcrLoginsTests : IDisposable
{
    private const string Host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    private readonly FakeAws _aws = new();
    private readonly VirtualClock _clock = new();
    private readonly AwsDriver _driver;

    public EcrLoginsTests() => _driver = _aws.MakeDriver(timeProvider: _clock);

    public void Dispose()
    {
        _driver.Dispose();
        _aws.Dispose();
    }

    [Theory]
    [InlineData("123456789012.dkr.ecr.us-east-1.amazonaws.com", "us-east-1", false)]
    [InlineData("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", true)]
    [InlineData("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", false)]
    [InlineData("123456789012.dkr-ecr.eu-central-1.on.aws", "eu-central-1", false)]
    [InlineData("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1", true)]
    [InlineData("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", false)]
    [InlineData("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", false)]
    [InlineData("public.ecr.aws", null, false)]
    public void Parse_RegistryOfAws_HasItsRegion(string host, string? region, bool isFips) => Assert.Equal(new EcrRegistry(region, isFips), EcrRegistry.Parse(host));

    [Theory]
    [InlineData("docker.io")]
    [InlineData("12345678901.dkr.ecr.us-east-1.amazonaws.com")]
    [InlineData("123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.org")]
    [InlineData("123456789012.dkr.ecr.us-east-1.evil.org")]
    [InlineData("123456789012.dkr.ecr.us/east.amazonaws.com")]
    [InlineData("x123456789012.dkr.ecr.us-east-1.amazonaws.com")]
    [InlineData("public.ecr.aws.org")]
    public async Task Login_OfAnotherRegistry_IsNone_AndAsksNobody(string host)
    {
        Assert.Null(await _driver.GetRegistryLoginAsync(host, default));
        Assert.Empty(_aws.Calls);
    }

    [Fact]
    public async Task Login_OfAnotherRegion_IsMadeThere()
    {
        var login = await _driver.GetRegistryLoginAsync(Host, default);

        Assert.Equal(new RegistryLogin("AWS", "private", new DateTimeOffset(2100, 1, 1, 0, 0, 0, 500, TimeSpan.Zero)), login);
        var call = Assert.Single(_aws.Calls);
        Assert.Equal((("ecr", "eu-west-1"), "api.ecr.eu-west-1.amazonaws.com"), (call.Scope, call.Address!.Host));
        Assert.DoesNotContain("private", login!.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn")]
    [InlineData("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr-fips.us-gov-west-1.amazonaws.com")]
    public async Task Login_OfAnotherPartition_IsMadeAtItsEndpoint(string host, string endpoint)
    {
        await _driver.GetRegistryLoginAsync(host, default);

        Assert.Equal(endpoint, Assert.Single(_aws.Calls).Address!.Host);
    }

    [Fact]
    public async Task Login_OfThePublicRegistry_IsMadeWhereThereIsOne()
    {
        var login = await _driver.GetRegistryLoginAsync("public.ecr.aws", default);

        Assert.Equal(("AWS", "public"), (login!.Username, login.Password));
        var call = Assert.Single(_aws.Calls);
        Assert.Equal((("ecr-public", "us-east-1"), "SpencerFrontendService.GetAuthorizationToken", "api.ecr-public.us-east-1.amazonaws.com"), (call.Scope, call.Target, call.Address!.Host));
    }

    [Fact]
    public async Task Login_OfThePublicRegistry_ThatCannotBeHad_IsNone()
    {
        _aws.Answer("ecr-public:GetAuthorizationToken", _ => FakeAws.Json(HttpStatusCode.BadRequest, """{"__type":"AccessDeniedException","message":"no"}"""));

        Assert.Null(await _driver.GetRegistryLoginAsync("public.ecr.aws", default));
    }

    [Fact]
    public async Task Login_OfThePublicRegistry_FromChina_IsNone()
    {
        using var driver = _aws.MakeDriver(FakeAws.MakeOptions() with { Region = "cn-north-1" });

        Assert.Null(await driver.GetRegistryLoginAsync("public.ecr.aws", default));
        Assert.Empty(_aws.Calls);
    }

    [Fact]
    public async Task Login_ThatIsNotAllowed_NamesTheAction()
    {
        _aws.Answer("ecr:GetAuthorizationToken", _ => FakeAws.Json(
            HttpStatusCode.BadRequest,
            """{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::123456789012:user/kip is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action"}"""));

        var error = await Assert.ThrowsAsync<DriverException>(() => _driver.GetRegistryLoginAsync(Host, default));

        Assert.Equal(DriverErrorKind.Unauthorized, error.Kind);
        Assert.Equal("cannot log in to the registries of eu-west-1: the credentials do not allow ecr:GetAuthorizationToken on *: add it to the controller's policy (AccessDeniedException)", error.Message);
    }

    [Theory]
    [InlineData("""{"authorizationData":[{"authorizationToken":"QVdTOnByaXZhdGU="}]}""")]
    [InlineData("""{"authorizationData":[{"authorizationToken":"QVdTOnByaXZhdGU=","expiresAt":1420070400}]}""")]
    public async Task Login_WithoutAnEndToCome_LastsForTwelveHours(string answer)
    {
        _aws.Answer("ecr:GetAuthorizationToken", _ => FakeAws.Json(HttpStatusCode.OK, answer));

        Assert.Equal(_clock.GetUtcNow() + TimeSpan.FromHours(12), (await _driver.GetRegistryLoginAsync(Host, default))!.ExpiresAt);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"authorizationData":[]}""")]
    [InlineData("""{"authorizationData":[{}]}""")]
    [InlineData("""{"authorizationData":[{"authorizationToken":"not base64!"}]}""")]
    [InlineData("""{"authorizationData":[{"authorizationToken":"QVdT"}]}""")]
    [InlineData("""{"authorizationData":[{"authorizationToken":"OnB3"}]}""")]
    [InlineData("""{"authorizationData":[{"authorizati""")]
    public async Task Login_OfAnAnswerWithoutOne_IsAnError(string answer)
    {
        _aws.Answer("ecr:GetAuthorizationToken", _ => FakeAws.Json(HttpStatusCode.OK, answer));

        var error = await Assert.ThrowsAsync<DriverException>(() => _driver.GetRegistryLoginAsync(Host, default));

        Assert.Equal(DriverErrorKind.Transient, error.Kind);
        Assert.StartsWith("cannot log in to the registries of eu-west-1: the answer ", error.Message, StringComparison.Ordinal);
    }

    [ServiceModelFact]
    public void Read_AnswerWithEveryMember_HasAll()
    {
        var answer = System.Text.Json.JsonSerializer.Deserialize(ServiceModel.Read("ecr-2015-09-21").MakeJsonAnswer("GetAuthorizationToken"), EcrJsonContext.Default.GetAuthorizationTokenResponse)!;

        Assert.Equal([("text of Base64", 1767322985.123), ("text of Base64", 1767322985.123)], answer.AuthorizationData!.Select(data => (data.AuthorizationToken, data.ExpiresAt)));
    }
}
