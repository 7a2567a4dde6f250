using System.Text;
using Google.Protobuf;
using Kip.Agents;
using Kip.Agents.Protocol;
using Kip.Grpc;
using Kip.Grpc.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Kip.Core.Tests.Agents;

/// <summary>What a controller makes of the answers of agents of other versions.</summary>
public sealed class GrpcCellAgentTests : IAsyncDisposable
{
    private static readonly DateTimeOffset _time = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly string _directory = Directory.CreateTempSubdirectory("kip-agent-test-").FullName;
    private ReadLogsRequest? _asked;
    private WebApplication? _server;

    [Fact]
    public async Task ReadLogs_ManyPiecesInAChunk_AreGivenOneByOne()
    {
        var chunk = new LogChunk { Data = ByteString.CopyFromUtf8("one\ntw"), StandardError = { false, true, false }, TimesUnixNs = { Nanoseconds(1), Nanoseconds(2), Nanoseconds(3) }, Lengths = { 4, 2, 0 } };

        Assert.Equal([(1, false, "one\n"), (2, true, "tw"), (3, false, ""), (1, false, "one\n"), (2, true, "tw"), (3, false, "")], await ReadAsync(chunk, chunk));
        Assert.True(_asked!.Many);
    }

    [Fact]
    public async Task ReadLogs_AgentThatSendsSinglePieces_IsUnderstood() => Assert.Equal(
        [(1, false, "one\n"), (2, true, "two\n"), (3, false, "")],
        await ReadAsync(
            new LogChunk { Stream = 1, TimeUnixNs = Nanoseconds(1), Data = ByteString.CopyFromUtf8("one\n") },
            new LogChunk { Stream = 2, TimeUnixNs = Nanoseconds(2), Data = ByteString.CopyFromUtf8("two\n") },
            new LogChunk { Stream = 1, TimeUnixNs = Nanoseconds(3) }));

    [Theory]
    [InlineData(new uint[] { 3 }, 1, 1)]
    [InlineData(new uint[] { 5 }, 1, 1)]
    [InlineData(new uint[] { uint.MaxValue, 5 }, 2, 2)]
    [InlineData(new uint[] { 4 }, 2, 1)]
    [InlineData(new uint[] { 4 }, 1, 0)]
    public async Task ReadLogs_PiecesDoNotAddUp_Fails(uint[] lengths, int errors, int times)
    {
        var chunk = new LogChunk { Data = ByteString.CopyFromUtf8("one\n") };
        chunk.Lengths.Add(lengths);
        chunk.StandardError.Add(Enumerable.Repeat(false, errors));
        chunk.TimesUnixNs.Add(Enumerable.Repeat(Nanoseconds(1), times));

        var error = await Assert.ThrowsAsync<AgentException>(() => ReadAsync(chunk));

        Assert.Equal((AgentErrorKind.Failed, $"the agent of cell-1 sent {lengths.Length} pieces of a log that do not add up to their 4 bytes"), (error.Kind, error.Message));
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private static long Nanoseconds(int second) => _time.AddSeconds(second).ToUnixTimeMilliseconds() * 1_000_000;

    private async Task<List<(int Second, bool IsError, string Data)>> ReadAsync(params LogChunk[] chunks)
    {
        var socket = Path.Combine(_directory, "agent.sock");
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(socket, static listen => listen.Protocols = HttpProtocols.Http2));
        _server = builder.Build();
        _server.MapGrpcServerStreaming(AgentMethods.ReadLogs, (request, _) =>
        {
            _asked = request;
            return chunks.ToAsyncEnumerable();
        });
        await _server.StartAsync();
        await using var agent = new GrpcCellAgent(
            GrpcChannel.ForAddress("unix:" + socket), () => throw new InvalidOperationException("no session was asked for"), "cell-1", new HelloReply(), static (end, _) => Task.FromResult(end));
        var read = new List<(int, bool, string)>();
        await foreach (var entry in agent.ReadLogsAsync("uid", new LogQuery { Container = "main" }, default))
        {
            read.Add(((int)(entry.Time - _time).TotalSeconds, entry.IsError, Encoding.UTF8.GetString(entry.Data.Span)));
        }

        return read;
    }
}
