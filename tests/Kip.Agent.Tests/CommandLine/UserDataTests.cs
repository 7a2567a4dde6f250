using System.Text;
using Kip.Agent.CommandLine;
using Kip.Agent.Tests.Support;

namespace Kip.Agent.Tests.CommandLine;

public sealed class UserDataTests
{
    private const string Token = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    [Fact]
    public void Parse_OfWhatTheControllerWrites_ReadsAll()
    {
        var data = Parse(Valid().Replace("}", """, "port":7000,"interruptionNotices":"http://169.254.169.254","registries":[{"registry":"r.test:5000","mirrors":["http://r.test:5000"],"insecureSkipVerify":true}]}""", StringComparison.Ordinal));

        Assert.Equal(("c", 7000, 32), (data.CellId, data.Port, data.EnrolmentToken.Length));
        Assert.Equal("http://169.254.169.254/", data.InterruptionNotices?.AbsoluteUri);
        var registry = Assert.Single(data.Registries);
        Assert.Equal(("r.test:5000", "http://r.test:5000/", true), (registry.Host, registry.Mirrors[0].AbsoluteUri, registry.InsecureSkipVerify));
    }

    [Theory]
    [InlineData("nonsense", "not JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{}", "cellId: a non-empty string is required")]
    [InlineData("""{"cellId":"c","controllerCa":"x"}""", "controllerCa: not a certificate in PEM")]
    public void Parse_OfBadData_NamesTheMember(string json, string message) =>
        Assert.StartsWith(message, Assert.Throws<UsageException>(() => Parse(json)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("\"port\":0", "port: a number from 1 to 65535 is required")]
    [InlineData("\"interruptionNotices\":\"169.254.169.254\"", "interruptionNotices: an http or https address is required")]
    [InlineData("\"interruptionNotices\":7", "interruptionNotices: an http or https address is required")]
    [InlineData("\"registries\":[{\"registry\":\"a/b\"}]", "registries[0].registry: 'a/b' is not a host or host:port")]
    [InlineData("\"registries\":[{\"registry\":\"a\",\"mirrors\":[\"ftp://x\"]}]", "registries[0].mirrors[0]: an http or https address is required")]
    public void Parse_OfABadMember_NamesIt(string member, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => Parse(Valid().Replace("}", $",{member}}}", StringComparison.Ordinal))).Message);

    [Fact]
    public void Parse_OfABadToken_DoesNotRepeatIt()
    {
        var error = Assert.Throws<UsageException>(() => Parse(Valid().Replace(Token, "c2VjcmV0", StringComparison.Ordinal)));

        Assert.Equal("enrolmentToken: not the base64 of at least 16 bytes", error.Message);
    }

    [Theory]
    [InlineData("--user-data is required")]
    [InlineData("unknown option '--x'", "--x", "1")]
    [InlineData("option '--user-data' needs a value", "--user-data")]
    [InlineData("--listen: 'x' is not an IP address", "--user-data", "f", "--listen=x")]
    [InlineData("unexpected argument 'f'", "f")]
    public void Options_ThatAreWrong_AreNamed(string message, params string[] arguments) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => AgentOptions.Parse(arguments)).Message);

    private static string Valid()
    {
        using var authority = new TestAuthority();
        return $$"""{"cellId":"c","controllerCa":{{System.Text.Json.JsonSerializer.Serialize(authority.Pem)}},"enrolmentToken":"{{Token}}"}""";
    }

    private static UserData Parse(string json) => UserData.Parse(Encoding.UTF8.GetBytes(json));
}
