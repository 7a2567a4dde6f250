using FsCheck;
using FsCheck.Fluent;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests;

/// <summary>Runs random tests with a printed seed.</summary>
internal static class Property
{
    /// <summary>Tries many values. To repeat a failure, put the printed numbers into KIP_TEST_SEED as "seed,gamma".</summary>
    public static void Holds<T>(ITestOutputHelper output, Gen<T> values, Action<T> check, int tries = 1000)
    {
        var given = Environment.GetEnvironmentVariable("KIP_TEST_SEED")?.Split(',').Select(ulong.Parse).ToArray();
        var (seed, gamma) = given is [var first, var second]
            ? (first, second)
            : ((ulong)Random.Shared.NextInt64(), ((ulong)Random.Shared.NextInt64() << 1) | 1);
        output.WriteLine($"KIP_TEST_SEED={seed},{gamma}");
        var config = Config.QuickThrowOnFailure.WithMaxTest(tries).WithReplay(seed, gamma);
        Check.One(config, Prop.ForAll(values.ToArbitrary(), check));
    }
}
