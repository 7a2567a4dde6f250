using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>
/// One GET request by the rules of the kubelet's HTTP probe, on a connection of its own: that connections are accepted is a part of what is
/// asked. .NET's client would do, for half as much processor time again: it keeps a pool of what is never used twice.
/// </summary>
internal static class HttpGet
{
    private const int MostRedirects = 10;

    // What the message itself decides. A connection that is not used again is said to be such.
    private static readonly string[] _reserved = ["Host", "User-Agent", "Accept", "Connection", "Content-Length", "Transfer-Encoding", "Trailer"];
    private static readonly SearchValues<char> _nameCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Where the request goes; null when the parts make no address.</summary>
    public static Uri? Address(HttpGetAction action, string host, int port)
    {
        var scheme = string.Equals(action.Scheme, "HTTPS", StringComparison.OrdinalIgnoreCase) ? "https" : "http";
        var path = action.Path is { Length: > 0 } given ? given : "/";
        path = path.StartsWith('/') ? path : $"/{path}";
        return Uri.TryCreate($"{scheme}://{ActionTarget.HostPort(host, port)}{path}", UriKind.Absolute, out var address) ? address : null;
    }

    /// <summary>Sends it, and again where the same host redirects it to.</summary>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static async Task<ActionOutcome> SendAsync(
        Uri address, IReadOnlyList<HttpHeader> headers, string userAgent, CancellationToken cancellationToken)
    {
        if (headers.FirstOrDefault(static header => !IsValid(header)) is { } invalid)
        {
            return ActionOutcome.Failure($"Get \"{address}\": net/http: invalid header field \"{invalid.Name}\"");
        }

        var (current, keepHost) = (address, true);
        for (var redirects = 0; ; redirects++)
        {
            var hasAnswered = false;
            try
            {
                await using var stream = await ConnectAsync(current, cancellationToken);
                await stream.WriteAsync(Request(current, headers, userAgent, keepHost), cancellationToken);
                var reader = new HttpAnswerReader(stream);
                var head = await reader.ReadHeadAsync(cancellationToken);
                hasAnswered = true;
                if (Redirect(head) is not { } location || Resolve(current, location) is not { } next || next.Host != address.Host)
                {
                    return Judge(head.Status, await BodyAsync(reader, head, cancellationToken));
                }

                if (redirects == MostRedirects - 1)
                {
                    return ActionOutcome.Failure($"Get \"{next}\": stopped after {MostRedirects} redirects");
                }

                keepHost &= !location.IsAbsoluteUri;
                current = next;
            }
            catch (Exception e) when (e is SocketException or IOException or AuthenticationException)
            {
                var why = $"Get \"{current}\": {Explain(e, current)}";
                return hasAnswered ? ActionOutcome.Unknown(why) : ActionOutcome.Failure(why);
            }
        }
    }

    private static async Task<Stream> ConnectAsync(Uri address, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(address.IdnHost, address.Port, cancellationToken);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (address.Scheme == Uri.UriSchemeHttps)
            {
                // By definition of the API: whether the server answers is asked, not who it is.
#pragma warning disable CA5359
                var secure = new SslStream(stream, leaveInnerStreamOpen: false, static (_, _, _, _) => true);
#pragma warning restore CA5359
                stream = secure;
                await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = address.IdnHost }, cancellationToken);
            }

            return stream;
        }
        catch
        {
            await (stream?.DisposeAsync() ?? ValueTask.CompletedTask);
            socket.Dispose();
            throw;
        }
    }

    private static ActionOutcome Judge(int status, string body) => status switch
    {
        >= 200 and < 300 => ActionOutcome.Success(body),
        >= 300 and < 400 => ActionOutcome.Warning($"Probe terminated redirects, Response body: {body}"),
        _ => ActionOutcome.Failure($"HTTP probe failed with statuscode: {status}") with { HasAnswer = true },
    };

    private static byte[] Request(Uri address, IReadOnlyList<HttpHeader> headers, string userAgent, bool keepHost)
    {
        // A header that is given without a value is not sent, nor what would be sent in its place.
        string Given(string name, string otherwise) =>
            headers.FirstOrDefault(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value ?? otherwise;
        var authority = ActionTarget.HostPort(address.IdnHost, address.Port);
        var host = keepHost ? Given("Host", authority) : authority;
        var text = new StringBuilder($"GET {address.PathAndQuery} HTTP/1.1\r\n");
        Add("Host", host.Length > 0 ? host : authority);
        Add("User-Agent", Given("User-Agent", userAgent));
        Add("Accept", Given("Accept", "*/*"));
        foreach (var header in headers)
        {
            if (!_reserved.Contains(header.Name, StringComparer.OrdinalIgnoreCase))
            {
                Add(header.Name, header.Value);
            }
        }

        Add("Connection", "close");
        return Encoding.UTF8.GetBytes(text.Append("\r\n").ToString());

        void Add(string name, string value)
        {
            if (value.Length > 0)
            {
                text.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }
    }

    /// <summary>No part of it can be taken for something else than a header.</summary>
    private static bool IsValid(HttpHeader header) =>
        header.Name.Length > 0 && !header.Name.AsSpan().ContainsAnyExcept(_nameCharacters)
        && !header.Value.Any(static c => char.IsControl(c) && c != '\t');

    private static Uri? Redirect(HttpAnswerHead head) =>
        head.Status is 301 or 302 or 303 or 307 or 308 && head.Location.Length > 0
        && Uri.TryCreate(head.Location, UriKind.RelativeOrAbsolute, out var location) ? location : null;

    private static Uri? Resolve(Uri from, Uri location) =>
        Uri.TryCreate(from, location, out var next) && (next.Scheme == Uri.UriSchemeHttp || next.Scheme == Uri.UriSchemeHttps) ? next : null;

    private static async Task<string> BodyAsync(HttpAnswerReader reader, HttpAnswerHead head, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ActionOutcome.MaximumOutput);
        try
        {
            var count = await reader.ReadBodyAsync(head, buffer.AsMemory(0, ActionOutcome.MaximumOutput), cancellationToken);
            return ActionOutcome.Text(new ReadOnlySequence<byte>(buffer, 0, count));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string Explain(Exception error, Uri address) => error switch
    {
        SocketException socket => $"dial tcp {ActionTarget.HostPort(address.IdnHost, address.Port)}: {ActionTarget.Explain(socket)}",
        { InnerException: SocketException inner } => $"read tcp {ActionTarget.HostPort(address.IdnHost, address.Port)}: {ActionTarget.Explain(inner)}",
        _ => error.Message,
    };
}
