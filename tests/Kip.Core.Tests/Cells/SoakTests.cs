using Kip.Tests.Support;
using Xunit.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>A short run of what bench/soak runs for an hour.</summary>
public class SoakTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Soak_ThreeMinutesOfPodsAndFaults_LeaksNothingAndDoublesNothing()
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        using var soak = new Soak(seed, TimeSpan.FromMinutes(3), podsPerSecond: 2);

        await soak.RunAsync(TimeSpan.FromMinutes(1), (elapsed, cells) => output.WriteLine($"{elapsed}: {cells} cells"));

        Assert.InRange(soak.Pods, 300, 400);
        Assert.Equal(soak.Pods, soak.Ends.Where(static e => !e.Key.StartsWith('(')).Sum(static e => e.Value));
        Assert.Equal((0, 0), (soak.Alive, soak.Records));
        Assert.Empty(soak.Violations);
        Assert.NotEmpty(soak.ToRunning);
    }
}
