using System.CommandLine;
using Kip.Host.Configuration;
using Kip.Tests.Support;

namespace Kip.Host.Tests.Configuration;

public sealed class GoFlagTests
{
    [Theory]
    [InlineData("--provider-config=a --disable-taint", "node --provider-config=a --disable-taint")]
    [InlineData("--klog.v 2", "node --klog.v 2")]
    [InlineData("run pod.yaml", "run pod.yaml")]
    [InlineData("node --nodename a", "node --nodename a")]
    [InlineData("--help", "--help")]
    [InlineData("--version", "--version")]
    [InlineData("--unheard-of", "--unheard-of")]
    public void NameCommand_GivesNodeToAGoKipsCommandLine(string given, string expected) => Assert.Equal(expected.Split(' '), GoFlag.NameCommand(given.Split(' ')));

    [Fact]
    public void NameCommand_OfNothing_IsNothing() => Assert.Empty(GoFlag.NameCommand([]));

    [Fact]
    public void EachFlag_IsParsedWithAValueAndIgnoredOnesAreSaidToBe()
    {
        var options = new NodeOptions();
        var command = new RootCommand();
        options.AddTo(command);

        Assert.All(GoFlag.All, flag =>
        {
            var parsed = command.Parse([$"--{flag.Name}=1"]);
            Assert.Empty(parsed.Errors);
            Assert.Equal("1", Assert.Single(options.Read(parsed).Flags, f => f.Key == flag.Name).Value);
            Assert.True(flag.Ignored is not null || flag.Description.Length > 0, flag.Name);
        });
    }

    [Fact]
    public void Documentation_NamesEachFlag()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));

        Assert.All(GoFlag.All.Where(static f => !f.Name.StartsWith("klog.", StringComparison.Ordinal)), flag => Assert.Contains($"`--{flag.Name}`", text, StringComparison.Ordinal));
    }
}
