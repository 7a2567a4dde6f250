using FsCheck.Fluent;
using Kip.Kubernetes.Objects;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests;

public sealed class ContainerExpansionTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, string> Variables = new()
    {
        ["VAR_A"] = "A",
        ["VAR_B"] = "B",
        ["VAR_REF"] = "$(VAR_A)",
        ["VAR_EMPTY"] = "",
    };

    [Theory]
    [InlineData("", "")]
    [InlineData("$(VAR_A)", "A")]
    [InlineData("___$(VAR_B)___", "___B___")]
    [InlineData("$(VAR_A)$(VAR_B)", "AB")]
    [InlineData("$(VAR_REF)", "$(VAR_A)")]
    [InlineData("$(VAR_EMPTY)", "")]
    [InlineData("foo-$(VAR_DNE)", "foo-$(VAR_DNE)")]
    [InlineData("$$(VAR_A)", "$(VAR_A)")]
    [InlineData("$$$(VAR_A)", "$A")]
    [InlineData("$$$$(VAR_A)", "$$(VAR_A)")]
    [InlineData("$$", "$")]
    [InlineData("$", "$")]
    [InlineData("$VAR_A", "$VAR_A")]
    [InlineData("${VAR_A}", "${VAR_A}")]
    [InlineData("$(VAR_A", "$(VAR_A")]
    [InlineData("$(", "$(")]
    [InlineData("$)", "$)")]
    [InlineData("$(VAR_A))", "A)")]
    [InlineData("$((VAR_A))", "$((VAR_A))")]
    [InlineData("$()", "$()")]
    [InlineData("é$é$(VAR_A)", "é$éA")]
    [InlineData("$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)")]
    public void Expand_Text_FollowsTheKubelet(string text, string expanded) =>
        Assert.Equal(expanded, ContainerExpansion.Expand(text, Variables));

    [Fact]
    public void Expand_Container_EnvSeesEarlierVariablesCommandSeesAll()
    {
        var container = new Container
        {
            Command = ["run", "$(LATE)"],
            Args = ["$(A) $(INHERITED) $(NONE) $(FROM)"],
            Env =
            [
                new EnvVar { Name = "A", Value = "1$(INHERITED)$(LATE)" },
                new EnvVar { Name = "LATE", Value = "$(A)!" },
                new EnvVar { Name = "FROM", ValueFrom = new EnvVarSource { FieldRef = new ObjectFieldSelector { FieldPath = "metadata.name" } } },
                new EnvVar { Name = "A", Value = "2" },
                new EnvVar { Name = "EMPTY" },
            ],
        };

        var expanded = ContainerExpansion.Expand(container, [KeyValuePair.Create("INHERITED", "i"), KeyValuePair.Create("LATE", "early")]);

        Assert.Equal(["run", "1iearly!"], expanded.Command);
        Assert.Equal(["2 i $(NONE) $(FROM)"], expanded.Args);
        Assert.Equal("INHERITED=i LATE=1iearly! A=2 EMPTY=", string.Join(' ', expanded.Env.Select(pair => $"{pair.Key}={pair.Value}")));
        Assert.Equal("1$(INHERITED)$(LATE)", container.Env[0].Value);
    }

    [Fact]
    public void Expand_ContainerWithNothing_IsEmpty()
    {
        var expanded = ContainerExpansion.Expand(new Container());
        Assert.Empty(expanded.Command);
        Assert.Empty(expanded.Args);
        Assert.Empty(expanded.Env);
    }

    [Fact]
    public void Escape_AnyText_ExpandsToItself() =>
        Property.Holds(
            output,
            Gen.Elements("$", "(", ")", "VAR_A", "x", "$(VAR_A)").ListOf().Select(string.Concat),
            text => Assert.Equal(text, ContainerExpansion.Expand(ContainerExpansion.Escape(text), Variables)));
}
