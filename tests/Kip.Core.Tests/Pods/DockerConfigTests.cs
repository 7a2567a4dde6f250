using Kip.Pods;

namespace Kip.Core.Tests.Pods;

public class DockerConfigTests
{
    [Theory]
    [InlineData("""{"auths": {"registry.example:5000": {"username": "u", "password": "p"}}}""", "registry.example:5000")]
    [InlineData("""{"auths": {"https://registry.example/v2/": {"auth": "dTpw"}}}""", "registry.example")]
    [InlineData("""{"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}}}""", "docker.io")]
    public void Parse_Login_IsKeyedByTheHostOfImageNames(string json, string registry)
    {
        var credential = Assert.Single(DockerConfig.Parse(json, "config.json"));

        Assert.Equal((registry, "u", "p"), (credential.Registry, credential.Username, credential.Password));
    }

    [Fact]
    public void Parse_PasswordWithColon_IsKeptWhole()
    {
        var auth = Convert.ToBase64String("user:pass:word"u8);

        Assert.Equal("pass:word", Assert.Single(DockerConfig.Parse("""{"auths": {"r": {"auth": "AUTH"}}}""".Replace("AUTH", auth, StringComparison.Ordinal), "x")).Password);
    }

    [Theory]
    [InlineData("not json", "line 1")]
    [InlineData("""{"auths": {"r": {"auth": "!!"}}}""", "auths[\"r\"].auth is not base64")]
    [InlineData("""{"auths": {"r": {"auth": "c2VjcmV0"}}}""", "auths[\"r\"].auth is not of the form user:password")]
    public void Parse_BadFile_SaysWhereAndNotWhatTheSecretIs(string json, string expected)
    {
        var e = Assert.Throws<FormatException>(() => DockerConfig.Parse(json, "config.json"));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"auths": {"r": {}}, "credsStore": "desktop"}""")]
    public void Parse_NoLogin_IsEmpty(string json) => Assert.Empty(DockerConfig.Parse(json, "x"));

    [Fact]
    public void ToString_OfACredential_HidesThePassword() =>
        Assert.DoesNotContain("hunter2", DockerConfig.Parse("""{"auths": {"r": {"username": "u", "password": "hunter2"}}}""", "x")[0].ToString(), StringComparison.Ordinal);
}
