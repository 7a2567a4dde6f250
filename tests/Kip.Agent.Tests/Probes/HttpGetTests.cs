using System.Net;
using System.Net.Sockets;
using System.Text;
using Kip.Agent.Probes;
using Kip.Agent.Tests.Support;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;

namespace Kip.Agent.Tests.Probes;

/// <summary>What servers say that do not keep to the rules, byte by byte.</summary>
public sealed class HttpGetTests : IDisposable
{
    private const string Large = "large";
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();
    private readonly List<string> _requests = [];

    public HttpGetTests() => _listener.Start();

    private int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Dispose()
    {
        _over.Cancel();
        _over.Dispose();
        _listener.Dispose();
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", "ok")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end")]
    [InlineData("HTTP/1.0 200\r\n\r\nold", "old")]
    [InlineData("HTTP/1.1 200 OK\nContent-Length: 4\n\nbare", "bare")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n", "abc0123456789")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a")]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x")]
    [InlineData("HTTP/1.1 200 OK\r\nX-Folded: a\r\n  b\r\n\tc\r\nContent-Length:\r\n 1\r\n\r\nxyz", "x")]
    [InlineData("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "")]
    public async Task Send_AnswerThatIsOne_Succeeds(string answer, string body) =>
        Assert.Equal(ActionOutcome.Success(body), await GetAsync(answer));

    [Theory]
    [InlineData("", "EOF")]
    [InlineData("HTTP/1.1 200", "unexpected EOF")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "unexpected EOF")]
    [InlineData("SSH-2.0-OpenSSH_9\r\n", "malformed HTTP response \"SSH-2.0-OpenSSH_9\"")]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n", "malformed HTTP response \"HTTP/1.1 20 OK\"")]
    [InlineData("HTTP/2.0 200 OK\r\n\r\n", "malformed HTTP response \"HTTP/2.0 200 OK\"")]
    [InlineData("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed header line \"no colon\"")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad Content-Length \"-1\"")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "bad Content-Length \"2\"")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unsupported transfer encoding \"gzip\"")]
    [InlineData(Large, "server response headers exceeded 65536 bytes; aborted")]
    public async Task Send_NoAnswer_FailsAndSaysWhy(string answer, string why)
    {
        var outcome = await GetAsync(answer == Large ? $"HTTP/1.1 200 OK\r\nX: {new string('x', 1 << 20)}" : answer);

        Assert.Equal(ActionOutcome.Failure($"Get \"http://127.0.0.1:{Port}/\": {why}"), outcome);
    }

    [Fact]
    public async Task Send_InterimAnswersWithoutEnd_Fails()
    {
        var outcome = await GetAsync(string.Concat(Enumerable.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100)));

        Assert.Equal(ActionOutcome.Failure($"Get \"http://127.0.0.1:{Port}/\": too many 1xx informational responses"), outcome);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "unexpected EOF")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "unexpected EOF")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", "malformed chunked encoding")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "invalid byte in chunk length")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "invalid byte in chunk length")]
    public async Task Send_BodyThatBreaksOff_IsUnknown(string answer, string why) =>
        Assert.Equal(ActionOutcome.Unknown($"Get \"http://127.0.0.1:{Port}/\": {why}"), await GetAsync(answer));

    [Theory]
    [InlineData("HTTP/1.1 2")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")]
    public async Task Send_ServerThatStopsInTheMiddle_EndsWithTheToken(string answer)
    {
        using var stop = new CancellationTokenSource();
        var said = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var outcome = GetAsync(answer, said, stop.Token);
        await Within.Limits(said.Task, "the server to say the first part");
        Assert.False(outcome.IsCompleted);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Within.Limits(outcome));
    }

    [Fact]
    public async Task Send_EndlessBody_IsReadToTheLimit()
    {
        var outcome = await GetAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + string.Concat(Enumerable.Repeat("1\r\nx\r\n", 1 << 16)));

        Assert.Equal(ActionOutcome.Success(new string('x', ActionOutcome.MaximumOutput)), outcome);
    }

    [Fact]
    public async Task Send_Request_IsWhatTheKubeletSends()
    {
        await GetAsync(
            "HTTP/1.1 200 OK\r\n\r\n", null, default,
            new HttpHeader { Name = "X-One", Value = "1" }, new HttpHeader { Name = "connection", Value = "keep-alive" }, new HttpHeader { Name = "Content-Length", Value = "7" });

        Assert.Equal(
            [$"GET / HTTP/1.1\r\nHost: 127.0.0.1:{Port}\r\nUser-Agent: test\r\nAccept: */*\r\nX-One: 1\r\nConnection: close\r\n\r\n"], _requests);
    }

    [Theory]
    [InlineData("X", "a\r\nY: b")]
    [InlineData("X: a\r\nY", "b")]
    [InlineData("", "b")]
    public async Task Send_HeaderThatIsMoreThanOne_IsRefused(string name, string value)
    {
        var outcome = await GetAsync("HTTP/1.1 200 OK\r\n\r\n", null, default, new HttpHeader { Name = name, Value = value });

        Assert.Equal(ActionOutcome.Failure($"Get \"http://127.0.0.1:{Port}/\": net/http: invalid header field \"{name}\""), outcome);
        Assert.Empty(_requests);
    }

    /// <param name="answer">What the server says, whatever it is asked, before it closes the connection.</param>
    /// <param name="said">Completes when it has said that; then it does not close.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <param name="headers">The pod's own.</param>
    private async Task<ActionOutcome> GetAsync(
        string answer, TaskCompletionSource? said = null, CancellationToken cancellationToken = default, params HttpHeader[] headers)
    {
        var server = ServeAsync(answer, said);
        var outcome = await Within.Limits(HttpGet.SendAsync(new Uri($"http://127.0.0.1:{Port}/"), headers, "test", cancellationToken));
        await _over.CancelAsync();
        await server;
        return outcome;
    }

    private async Task ServeAsync(string answer, TaskCompletionSource? said)
    {
        try
        {
            using var client = await _listener.AcceptTcpClientAsync(_over.Token);
            var stream = client.GetStream();
            var request = new StringBuilder();
            var buffer = new byte[1 << 16];
            while (!request.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                request.Append(Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, _over.Token)));
            }

            _requests.Add(request.ToString());
            await stream.WriteAsync(Encoding.Latin1.GetBytes(answer), _over.Token);
            if (said is not null)
            {
                said.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _over.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Whoever asked has heard enough.
        }
    }
}
