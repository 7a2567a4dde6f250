using System.Globalization;
using Kip.Agent.Pods;
using Kip.Agent.Volumes;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

/// <summary>On files that look like the kernel's; a real kernel is in ResourcesTests.</summary>
public sealed class HugePagesTests : IDisposable
{
    private const long Small = 2 << 20;
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-huge-test-").FullName;
    private readonly HugePages _pages;

    public HugePagesTests()
    {
        foreach (var (size, count) in (ReadOnlySpan<(string, int)>)[("2048kB", 3), ("1048576kB", 0)])
        {
            var directory = Directory.CreateDirectory(Path.Combine(_directory, $"hugepages-{size}")).FullName;
            File.WriteAllText(Path.Combine(directory, "nr_hugepages"), string.Create(CultureInfo.InvariantCulture, $"{count}\n"));
            // The same file: pages that are made are free.
            File.CreateSymbolicLink(Path.Combine(directory, "free_hugepages"), "nr_hugepages");
        }

        _pages = new HugePages(_directory);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Limits_OfAContainer_AreThereForEverySize()
    {
        var pod = Pod("""{"hugepages-2Mi":"4Mi"}""");

        Assert.Equal(["1GB 0", "2MB 4194304"], _pages.Limits(pod.Spec.Containers[0], null).Select(limit => $"{limit.PageSize} {limit.Limit}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Reserve_OfMoreThanThereAre_AddsTheMissingAndReleaseTakesThemBack()
    {
        var added = new Dictionary<long, long>();

        _pages.Reserve(Pod("""{"hugepages-2Mi":"10Mi"}""").Spec, added);

        Assert.Equal((5, 2L), (Count(), added[Small]));
        _pages.Reserve(Pod("""{"hugepages-2Mi":"10Mi"}""").Spec, added);
        Assert.Equal((5, 2L), (Count(), added[Small]));
        _pages.Release(added);
        Assert.Equal((3, 0), (Count(), added.Count));
    }

    [Fact]
    public void Reserve_OfASizeThatTheMachineHasNot_SaysSo()
    {
        var error = Assert.Throws<VolumeException>(() => _pages.Reserve(Pod("""{"hugepages-64Ki":"64Ki"}""").Spec, new Dictionary<long, long>()));

        Assert.Equal("the cell's kernel has no huge pages of 64KB", error.Message);
    }

    [Theory]
    [InlineData("HugePages", """{"hugepages-2Mi":"4Mi"}""", Small)]
    [InlineData("HugePages-1Gi", """{"hugepages-2Mi":"4Mi","hugepages-1Gi":"1Gi"}""", 1L << 30)]
    [InlineData("HugePages", """{"hugepages-2Mi":"4Mi","hugepages-1Gi":"1Gi"}""", null)]
    [InlineData("HugePages", "{}", null)]
    public void SizeOf_AVolume_IsTheMediumsOrTheOnlyOne(string medium, string limits, long? size)
    {
        long? found = null;
        var error = Record.Exception(() => found = HugePages.SizeOf(Pod(limits), new EmptyDirVolumeSource { Medium = medium }));

        Assert.Equal((size, size is null), (found, error is VolumeException));
    }

    private int Count() =>
        int.Parse(File.ReadAllText(Path.Combine(_directory, "hugepages-2048kB", "nr_hugepages")), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);

    private static Pod Pod(string limits) => KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes(
        $"{{\"spec\":{{\"containers\":[{{\"name\":\"a\",\"resources\":{{\"limits\":{limits}}}}}]}}}}"));
}
