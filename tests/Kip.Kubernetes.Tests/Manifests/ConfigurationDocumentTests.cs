using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Tests.Manifests;

public sealed partial class ConfigurationDocumentTests
{
    private const string Text = "Name: 012\nparts:\n  - {SIZE: 1, open: yes}\n  - label: yes\nmap:\n  a.b/C: 1e3\n  none:\n";

    [Fact]
    public void ReadConfiguration_Lenient_TakesKeysInAnyCaseAndScalarsForStrings()
    {
        var value = Manifest.ReadConfiguration(Text, "file", LenientContext.Default.Shape).Value;

        Assert.Equal("012", value.Name);
        Assert.Equal((1, true, "true"), (value.Parts![0].Size, value.Parts[0].Open, value.Parts[1].Label));
        Assert.Equal("1e3", value.Map!["a.b/C"]);
        Assert.Equal("", value.Map["none"]);
    }

    [Fact]
    public void ReadConfiguration_Strict_TakesNeither()
    {
        var warnings = Manifest.ReadConfiguration("Name: a\n", "file", StrictContext.Default.Shape).Warnings;
        var error = Assert.Throws<ManifestException>(() => Manifest.ReadConfiguration("name: 12\n", "file", StrictContext.Default.Shape));

        Assert.Equal(["file:1: unknown field \"Name\" (did you mean \"name\"?)"], warnings);
        Assert.Equal("file:1:7: name: expected a string, found the number 12; quote it (\"12\")", error.Message);
    }

    [Fact]
    public void ReadConfiguration_SameKeyInTwoCases_IsRefused()
    {
        var error = Assert.Throws<ManifestException>(() => Manifest.ReadConfiguration("parts: [{size: 1, SIZE: 2}]\n", "file", LenientContext.Default.Shape));

        Assert.Equal("file:1:19: parts[0].size: given twice, first in line 1; upper and lower case count as the same", error.Message);
    }

    [Theory]
    [InlineData("name", "file:1")]
    [InlineData("parts[1].label", "file:4")]
    [InlineData("parts[1].size", "file:4")]
    [InlineData("parts[7].size", "file:2")]
    [InlineData("map.a.b/C", "file:6")]
    [InlineData("elsewhere.at.all", "file:1")]
    public void Place_Field_IsItsLineOrThatOfWhatLacksIt(string path, string place) =>
        Assert.Equal(place, Manifest.ReadConfiguration(Text, "file", LenientContext.Default.Shape).Place(path));

    [Fact]
    public void Has_And_PathsOf_LookAtWhatIsWritten()
    {
        var document = Manifest.ReadConfiguration("name: x\nparts:\nmap: {a: x, b: y}\n", "file", LenientContext.Default.Shape);

        Assert.True(document.Has("map.b"));
        Assert.False(document.Has("parts"));
        Assert.Equal(["name", "map.a"], document.PathsOf("x"));
    }

    internal sealed class Shape
    {
        public string? Name { get; set; }

        public List<Part>? Parts { get; set; }

        public Dictionary<string, string>? Map { get; set; }
    }

    internal sealed class Part
    {
        public int? Size { get; set; }

        public bool? Open { get; set; }

        public string? Label { get; set; }
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, PropertyNameCaseInsensitive = true)]
    [JsonSerializable(typeof(Shape))]
    internal sealed partial class LenientContext : JsonSerializerContext;

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    [JsonSerializable(typeof(Shape))]
    internal sealed partial class StrictContext : JsonSerializerContext;
}
