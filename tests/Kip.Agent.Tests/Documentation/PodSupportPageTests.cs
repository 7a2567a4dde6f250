using Kip.Tests.Support;

namespace Kip.Agent.Tests.Documentation;

public sealed class PodSupportPageTests
{
    private readonly PodSupportPage _page = new();

    [Fact]
    public void Page_AsCommitted_IsWhatTheTestsSay()
    {
        var file = Path.Combine(Repository.Root, "docs", "pod-support.md");
        var page = _page.Render();
        if (Environment.GetEnvironmentVariable("KIP_WRITE_DOCS") is { Length: > 0 })
        {
            File.WriteAllText(file, page);
        }

        Assert.True(File.Exists(file) && File.ReadAllText(file) == page, "docs/pod-support.md is not what the tests say: run eng/pod-support and commit it");
    }

    [Fact]
    public void Fields_ThatTestsName_AreInTheList() => Assert.Empty(_page.Unknown);
}
