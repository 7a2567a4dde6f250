using System.Diagnostics;

using Kip.Grpc.Tests;

namespace Kip.Grpc.Bench;

/// <summary>What was measured of one pair of client and server.</summary>
/// <param name="P50">The median of the latency of calls one after the other, in microseconds.</param>
/// <param name="P99">Its 99th percentile.</param>
/// <param name="CallsPerSecond">With 32 calls under way at any time.</param>
/// <param name="ClientBytes">Allocated on the managed heap of the client per serial call; null if it cannot be known.</param>
/// <param name="ServerBytes">The same of the server.</param>
internal sealed record Measurement(double P50, double P99, double CallsPerSecond, double? ClientBytes, double? ServerBytes)
{
    private const int Concurrency = 32;

    private static readonly EchoMessage Request = new() { Text = new string('x', 100), Number = 42 };

    /// <summary>Measures after as much time of warming up as the measurement takes.</summary>
    public static async Task<Measurement> TakeAsync(
        GrpcChannel channel, Func<Task<long>> serverAllocated, TimeSpan duration)
    {
        await SerialAsync(channel, duration / 2, []);
        await ParallelAsync(channel, duration / 2);

        var latencies = new List<double>(1_000_000); // before counting, because it is ours and not the calls'
        long serverBefore = await serverAllocated();
        long clientBefore = GC.GetTotalAllocatedBytes(precise: true);
        await SerialAsync(channel, duration, latencies);
        long clientAfter = GC.GetTotalAllocatedBytes(precise: true);
        long serverAfter = await serverAllocated();

        double callsPerSecond = await ParallelAsync(channel, duration);
        latencies.Sort();
        return new Measurement(
            latencies[(int)((latencies.Count - 1) * 0.5)],
            latencies[(int)((latencies.Count - 1) * 0.99)],
            callsPerSecond,
            (double)(clientAfter - clientBefore) / latencies.Count,
            (double)(serverAfter - serverBefore) / latencies.Count);
    }

    private static async Task SerialAsync(GrpcChannel channel, TimeSpan duration, List<double> latencies)
    {
        long start = Stopwatch.GetTimestamp();
        long end = start + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        while (start < end)
        {
            await channel.UnaryAsync(Service.Unary, Request);
            long done = Stopwatch.GetTimestamp();
            latencies.Add(Stopwatch.GetElapsedTime(start, done).TotalMicroseconds);
            start = done;
        }
    }

    private static async Task<double> ParallelAsync(GrpcChannel channel, TimeSpan duration)
    {
        long start = Stopwatch.GetTimestamp();
        long calls = 0;
        await Task.WhenAll(Enumerable.Range(0, Concurrency).Select(async _ =>
        {
            while (Stopwatch.GetElapsedTime(start) < duration)
            {
                await channel.UnaryAsync(Service.Unary, Request);
                Interlocked.Increment(ref calls);
            }
        }));
        return calls / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
