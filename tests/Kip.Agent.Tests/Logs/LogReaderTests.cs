using System.Globalization;
using System.Text;
using Kip.Agent.Logs;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Kip.Grpc;

namespace Kip.Agent.Tests.Logs;

public sealed class LogReaderTests : IDisposable
{
    private const string Uid = "uid";
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-log-test-").FullName;
    private readonly StatusBoard _board = new(TimeProvider.System);
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(30), TimeProvider.System);
    private int _second;

    public LogReaderTests() => Directory.CreateDirectory(Path.Combine(_directory, "main"));

    [Theory]
    [InlineData(-1, "a b c d e")]
    [InlineData(0, "")]
    [InlineData(1, "e")]
    [InlineData(3, "c d e")]
    [InlineData(4, "b c d e")]
    [InlineData(99, "a b c d e")]
    public async Task Tail_OverRotatedFiles_GivesTheLastLines(int tail, string expected)
    {
        Write("0.log.20260101-000000.0000001", Line("a"), Line("b"));
        Write("0.log.20260101-000000.0000002", Line("c"));
        Write("0.log", Line("d"), Line("e"));
        Show(runs: 1, final: true);

        Assert.Equal(expected, string.Join(' ', (await ReadAsync(tail)).Select(line => line.TrimEnd('\n'))));
    }

    [Theory]
    [InlineData(1, "|wxyz\n")]
    [InlineData(2, "one\n|wxyz\n")]
    public async Task Tail_WithPartialRecords_CountsWholeLines(int tail, string expected)
    {
        Write("0.log", Line("zero"), Line("one"), Line("w", tag: "P"), Line("x", tag: "P"), Line("yz"));
        Show(runs: 1, final: true);

        Assert.Equal(expected, string.Concat((await ReadAsync(tail)).Select(line => line == "w" ? "|w" : line)));
    }

    [Fact]
    public async Task Tail_OfALineThatIsNotFinished_CountsItAsOne()
    {
        Write("0.log", Line("one"), Line("two"), Line("thr", tag: "P"));
        Show(runs: 1, final: true);

        Assert.Equal(["two\n", "thr"], await ReadAsync(2));
    }

    [Fact]
    public async Task Tail_OfLongLogs_FindsTheSameLinesAsReadingForward()
    {
        var random = new Random(20261122);
        var lines = Enumerable.Range(0, 5000).Select(i => $"{i} {new string('x', random.Next(0, 200))}").ToList();
        Write("0.log", [.. lines.Select(line => Line(line))]);
        Show(runs: 1, final: true);

        foreach (var tail in (int[])[1, 7, 500, 4999, 5000])
        {
            Assert.Equal(lines.TakeLast(tail), (await ReadAsync(tail)).Select(line => line.TrimEnd('\n')));
        }
    }

    [Fact]
    public async Task Since_LeavesOutWhatIsOlder()
    {
        Write("0.log", Line("a"), Line("b"), Line("c"));
        Show(runs: 1, final: true);

        Assert.Equal(["b\n", "c\n"], await ReadAsync(-1, since: _start.AddSeconds(1)));
    }

    [Fact]
    public async Task Previous_GivesTheRunBefore()
    {
        Write("0.log", Line("old"));
        Write("1.log", Line("new"));
        Show(runs: 2, final: false);

        Assert.Equal(["old\n"], await ReadAsync(-1, previous: true));
        Assert.Equal(["new\n"], await ReadAsync(-1));
    }

    [Fact]
    public async Task Previous_WithoutOne_IsNotFound()
    {
        Show(runs: 1, final: false);

        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => ReadAsync(-1, previous: true))).StatusCode);
    }

    [Fact]
    public async Task Records_ThatAreTorn_AreLeftOut()
    {
        Write("0.log", Line("a"), "2026-01-01T00:00:0\n", "\n", "garbage here now F x\n", Line("b"), "2026-01-01T00:00:09.5Z stdout F no newline");
        Show(runs: 1, final: true);

        Assert.Equal(["a\n", "b\n"], await ReadAsync(-1));
    }

    [Fact]
    public async Task Many_OfAllKinds_AreThePiecesThatComeOneByOne()
    {
        const int seed = 20261130;
        var random = new Random(seed);
        var records = Enumerable.Range(0, 3000).Select(i => i % 100 == 0
            ? "torn\n"
            : Line($"{i} {new string('x', i % 500 == 1 ? 100_000 : random.Next(200))}", random.Next(4) == 0 ? "P" : "F").Replace("stdout", random.Next(2) == 0 ? "stderr" : "stdout", StringComparison.Ordinal));
        Write("0.log", [.. records, Line("", tag: "P"), Line(""), "2026-01-01T00:00:09.5Z stdout F no newline"]);
        Show(runs: 1, final: true);
        var since = _start.AddSeconds(1000);

        var single = await PiecesAsync(many: false, since);
        var many = await PiecesAsync(many: true, since);

        Assert.Equal(single, many);
        Assert.InRange(single.Count, 1900, 2002);
    }

    [Fact]
    public async Task Follow_OfAFileThatIsEmptied_ReadsOn()
    {
        Write("0.log", Line("a"), Line("b"));
        Show(runs: 1, final: false);
        var reading = CollectAsync(Request(-1, follow: true));
        await UntilAsync(reading, 2);

        Write("0.log", Line("c"));
        await UntilAsync(reading, 3);
        Show(runs: 1, final: true);

        await reading.Task.WaitAsync(_patience.Token);
        Assert.Equal("a\nb\nc\n", string.Concat(reading.Lines));
    }

    [Fact]
    public async Task Time_WithAnOffset_IsReadToTheNanosecond()
    {
        Write("0.log", "2026-01-01T02:30:00.123456789+02:30 stderr F x\n");
        Show(runs: 1, final: true);
        var reader = new LogReader(_board, TimeProvider.System);

        await foreach (var chunk in reader.ReadAsync(Request(-1), CancellationToken.None))
        {
            Assert.Equal((_start.ToUnixTimeSeconds() * 1_000_000_000) + 123456789, chunk.TimeUnixNs);
            Assert.Equal(2, chunk.Stream);
        }
    }

    [Fact]
    public async Task Follow_OverRotationAndRestart_LosesNothing()
    {
        Show(runs: 0, final: false);
        var reading = CollectAsync(Request(-1, follow: true));
        Show(runs: 1, final: false);
        Write("0.log", Line("a"));
        await UntilAsync(reading, 1);
        Append("0.log", Line("b"));
        await UntilAsync(reading, 2);
        // As rotation does it: the writer goes on in the renamed file for a moment.
        File.Move(At("0.log"), At("0.log.20260101-000000.0000001"));
        Append("0.log.20260101-000000.0000001", Line("c"));
        Write("0.log", Line("d"));
        await UntilAsync(reading, 4);
        Append("0.log", Line("e"));
        Show(runs: 2, final: false);
        Write("1.log", Line("f"));
        await UntilAsync(reading, 6);
        Append("1.log", Line("g"));
        Show(runs: 2, final: true);

        await reading.Task.WaitAsync(_patience.Token);
        Assert.Equal("abcdefg", string.Concat(reading.Lines.Select(line => line.TrimEnd('\n'))));
    }

    [Fact]
    public async Task Follow_ByManyReaders_EachReadsOn()
    {
        Write("0.log", Line("a"));
        Show(runs: 1, final: false);
        var reader = new LogReader(_board, TimeProvider.System);
        var readings = Enumerable.Range(0, 200).Select(_ => CollectAsync(Request(-1, follow: true), reader)).ToList();
        await Task.WhenAll(readings.Select(static r => UntilAsync(r, 1)));

        Append("0.log", Line("b"));
        await Task.WhenAll(readings.Select(static r => UntilAsync(r, 2)));
        Show(runs: 1, final: true);

        await Task.WhenAll(readings.Select(static r => r.Task)).WaitAsync(_patience.Token);
        Assert.All(readings, static r => Assert.Equal("a\nb\n", string.Concat(r.Lines)));
    }

    [Fact]
    public async Task Follow_OfAContainerThatNeverRuns_Ends()
    {
        Show(runs: 0, final: false);
        var reading = CollectAsync(Request(-1, follow: true));
        Show(runs: 0, final: true);

        await reading.Task.WaitAsync(_patience.Token);
        Assert.Empty(reading.Lines);
    }

    public void Dispose()
    {
        _patience.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static ReadLogsRequest Request(long tail, bool follow = false) =>
        new() { PodUid = Uid, Container = "main", TailLines = tail, Follow = follow };

    private static async Task UntilAsync(Reading reading, int lines)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (reading.Lines.Count < lines)
        {
            if (reading.Task.IsFaulted)
            {
                await reading.Task;
            }

            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(30), $"waited for {lines} lines, have {reading.Lines.Count}");
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, CancellationToken.None);
        }
    }

    private Reading CollectAsync(ReadLogsRequest request, LogReader? reader = null)
    {
        reader ??= new LogReader(_board, TimeProvider.System);
        var reading = new Reading();
        reading.Task = RunAsync();
        return reading;

        async Task RunAsync()
        {
            await foreach (var chunk in reader.ReadAsync(request, _patience.Token))
            {
                reading.Lines.Enqueue(Encoding.UTF8.GetString(chunk.Data.Span));
            }
        }
    }

    private async Task<List<string>> ReadAsync(long tail, DateTimeOffset? since = null, bool previous = false)
    {
        var request = Request(tail);
        request.SinceUnixMs = since?.ToUnixTimeMilliseconds() ?? 0;
        request.Previous = previous;
        var lines = new List<string>();
        await foreach (var chunk in new LogReader(_board, TimeProvider.System).ReadAsync(request, CancellationToken.None))
        {
            lines.Add(chunk.Data.ToStringUtf8());
        }

        return lines;
    }

    private async Task<List<(int Stream, long Time, string Data)>> PiecesAsync(bool many, DateTimeOffset since)
    {
        var request = Request(-1);
        (request.Many, request.SinceUnixMs) = (many, since.ToUnixTimeMilliseconds());
        var pieces = new List<(int, long, string)>();
        await foreach (var chunk in new LogReader(_board, TimeProvider.System).ReadAsync(request, CancellationToken.None))
        {
            Assert.Equal(many, chunk.Lengths.Count > 0);
            var data = chunk.Data.ToByteArray().AsSpan();
            if (!many)
            {
                pieces.Add((chunk.Stream, chunk.TimeUnixNs, Encoding.UTF8.GetString(data)));
            }

            for (var i = 0; i < chunk.Lengths.Count; i++)
            {
                var length = (int)chunk.Lengths[i];
                pieces.Add((chunk.StandardError[i] ? 2 : 1, chunk.TimesUnixNs[i], Encoding.UTF8.GetString(data[..length])));
                data = data[length..];
            }
        }

        return pieces;
    }

    private string Line(string text, string tag = "F") => string.Create(
        CultureInfo.InvariantCulture, $"{_start.AddSeconds(_second++):yyyy-MM-dd'T'HH:mm:ss'.000000000Z'} stdout {tag} {text}\n");

    private string At(string name) => Path.Combine(_directory, "main", name);

    private void Write(string name, params string[] lines) => File.WriteAllText(At(name), string.Concat(lines));

    private void Append(string name, string line) => File.AppendAllText(At(name), line);

    private void Show(int runs, bool final) => _board.Show(new PodView(Uid, _directory, null, [new ContainerView("main", runs, final, null)]));

    private sealed class Reading
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = [];

        public Task Task { get; set; } = Task.CompletedTask;
    }
}
