using Kip.Agent.Pods;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

public sealed class FieldReferenceTests
{
    private static readonly Pod _pod = new()
    {
        Metadata = new()
        {
            Name = "p",
            Labels = new() { ["b"] = "2", ["a"] = "1" },
            Annotations = new() { ["text"] = "tab\t \"q\" \\ \u0001 é\u00a0\U0001F600\n" },
        },
    };

    [Fact]
    public void Resolve_OfAllLabels_ListsThemByKey() => Assert.Equal("a=\"1\"\nb=\"2\"", Resolve("metadata.labels"));

    [Fact]
    public void Resolve_OfAllAnnotations_QuotesAsGoDoes() =>
        Assert.Equal("text=\"tab\\t \\\"q\\\" \\\\ \\x01 é\\u00a0\U0001F600\\n\"", Resolve("metadata.annotations"));

    [Theory]
    [InlineData("metadata.labels['a']", "1")]
    [InlineData("metadata.labels['c']", "")]
    [InlineData("metadata.namespace", "default")]
    [InlineData("status.podIP", "10.1.2.3")]
    [InlineData("status.hostIP", "10.0.0.1")]
    public void Resolve_OfOneField_GivesIt(string path, string expected) => Assert.Equal(expected, Resolve(path));

    [Fact]
    public void IsKnown_WithAllLabels_HoldsForFilesOnly()
    {
        Assert.False(FieldReference.IsKnown("metadata.labels"));
        Assert.True(FieldReference.IsKnownInFile("metadata.labels"));
        Assert.False(FieldReference.IsKnownInFile("spec.containers"));
    }

    private static string Resolve(string path) => FieldReference.Resolve(path, _pod, "10.1.2.3", "10.0.0.1");
}
