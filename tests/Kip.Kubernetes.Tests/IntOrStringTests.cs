using System.Text;
using System.Text.Json;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Tests;

public sealed class IntOrStringTests
{
    [Theory]
    [InlineData("8080", 8080, null)]
    [InlineData("\"web\"", null, "web")]
    [InlineData("\"8080\"", null, "8080")]
    public void Json_NumberOrName_SurvivesAsWhatItIs(string json, int? number, string? name)
    {
        var action = Read(json);
        Assert.Equal(number, action.Port.Number);
        Assert.Equal(name, action.Port.Name);
        Assert.Equal(
            $"{{\"port\":{json}}}",
            Encoding.UTF8.GetString(KubernetesJson.SerializeToUtf8(action, KubernetesJsonContext.Default.TcpSocketAction)));
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("99999999999")]
    public void Json_NeitherNumberNorName_Throws(string json) => Assert.Throws<JsonException>(() => Read(json));

    [Fact]
    public void Equality_NumberAndItsDigits_Differ()
    {
        Assert.NotEqual<IntOrString>(80, "80");
        Assert.Equal<IntOrString>(80, new IntOrString(80));
        Assert.Equal("80", new IntOrString(80).ToString());
        Assert.Equal("web", new IntOrString("web").ToString());
    }

    private static TcpSocketAction Read(string json) =>
        KubernetesJson.Deserialize(Encoding.UTF8.GetBytes($"{{\"port\":{json}}}"), KubernetesJsonContext.Default.TcpSocketAction);
}
