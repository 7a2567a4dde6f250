using System.Text;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests.Client;

public sealed class WatchReaderTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Read_CutAndSplitAnywhere_NeverGivesMoreThanWasSentOrAnotherException()
    {
        var seed = Environment.GetEnvironmentVariable("KIP_TEST_SEED") is { } given ? int.Parse(given, null) : Random.Shared.Next();
        output.WriteLine($"KIP_TEST_SEED={seed}");
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var names = Enumerable.Range(0, random.Next(5)).Select(i => $"{i}-{new string('x', random.Next(3) == 0 ? random.Next(60_000) : 5)}").ToList();
            var sent = Encoding.UTF8.GetBytes(string.Concat(names.Select(name => """{"type":"ADDED","object":{"metadata":{"name":"NAME"}}}""".Replace("NAME", name, StringComparison.Ordinal) + "\n")));
            var length = random.Next(2) == 0 ? sent.Length : random.Next(sent.Length + 1);
            var seen = new List<string?>();
            try
            {
                await foreach (var change in Read(sent.AsMemory(0, length), random))
                {
                    seen.Add(change.Value.Metadata.Name);
                }

                // A cut between events cannot be told from an end.
                Assert.True(length == 0 || sent[length - 1] == '\n');
            }
            catch (IOException)
            {
                Assert.NotEqual((byte)'\n', sent[length - 1]);
            }

            Assert.Equal(names.Take(sent.AsSpan(0, length).Count((byte)'\n')), seen);
        }
    }

    [Fact]
    public async Task Read_DamagedAnywhere_NeverThrowsAnythingElse()
    {
        var seed = Environment.GetEnvironmentVariable("KIP_TEST_SEED") is { } given ? int.Parse(given, null) : Random.Shared.Next();
        output.WriteLine($"KIP_TEST_SEED={seed}");
        var random = new Random(seed);
        var failed = 0;
        for (var round = 0; round < 3000; round++)
        {
            var bytes = """{"type":"MODIFIED","object":{"metadata":{"name":"a","labels":{"b":"c"}},"spec":{"containers":[]}}}"""u8.ToArray().Append((byte)'\n').ToArray();
            for (var i = random.Next(3); i >= 0; i--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                await foreach (var _ in Read(bytes, random))
                {
                }
            }
            catch (Exception e) when (e is KubernetesApiException or IOException)
            {
                failed++;
            }
        }

        Assert.InRange(failed, 1, 2999);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("5")]
    [InlineData("""{"type":"ADDED"}""")]
    [InlineData("""{"object":{}}""")]
    [InlineData("""{"type":"ADDED","object":null}""")]
    [InlineData("""{"type":"ADDED","object":[]}""")]
    [InlineData("""{"type":"NEW","object":{}}""")]
    [InlineData("""{"type":5,"object":{}}""")]
    [InlineData("""{"type":"ERROR","object":null}""")]
    [InlineData("""{"type":"ERROR","object":{"code":500}}""")]
    public async Task Read_NoEvent_SaysSo(string line) => await Assert.ThrowsAsync<KubernetesApiException>(async () =>
    {
        await foreach (var _ in Read(Encoding.UTF8.GetBytes(line + "\n"), new Random(1)))
        {
        }
    });

    private static IAsyncEnumerable<WatchEvent<Pod>> Read(ReadOnlyMemory<byte> bytes, Random random) =>
        WatchReader.ReadAsync(new DribblingStream(bytes, random), KubernetesJsonContext.Default.Pod, "watch", CancellationToken.None);

    /// <summary>Gives its bytes in pieces of any size.</summary>
    private sealed class DribblingStream(ReadOnlyMemory<byte> bytes, Random random) : MemoryStream(bytes.ToArray())
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(4) == 0 ? random.Next(1, 10) : random.Next(1, 20_000))], cancellationToken);
    }
}
