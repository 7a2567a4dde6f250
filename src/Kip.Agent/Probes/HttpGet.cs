using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>One GET request by the rules of the kubelet's HTTP probe.</summary>
internal sealed class HttpGet(HttpMessageInvoker http)
{
    private const int MostRedirects = 10;

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
    public async Task<ActionOutcome> SendAsync(
        Uri address, IReadOnlyList<HttpHeader> headers, string userAgent, CancellationToken cancellationToken)
    {
        var (current, keepHost) = (address, true);
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                using var request = Request(current, headers, userAgent, keepHost);
                using var response = await http.SendAsync(request, cancellationToken);
                if (Redirect(response) is { } location && Resolve(current, location) is { } next && next.Host == address.Host)
                {
                    if (redirects == MostRedirects - 1)
                    {
                        return ActionOutcome.Failure($"Get \"{next}\": stopped after {MostRedirects} redirects");
                    }

                    keepHost &= !location.IsAbsoluteUri;
                    current = next;
                    continue;
                }

                return Judge((int)response.StatusCode, await BodyAsync(response, cancellationToken));
            }
        }
        catch (HttpRequestException e)
        {
            return ActionOutcome.Failure($"Get \"{current}\": {Explain(e, current)}");
        }
        catch (IOException e)
        {
            return ActionOutcome.Unknown($"Get \"{current}\": {e.Message}");
        }
    }

    private static ActionOutcome Judge(int status, string body) => status switch
    {
        >= 200 and < 300 => ActionOutcome.Success(body),
        >= 300 and < 400 => ActionOutcome.Warning($"Probe terminated redirects, Response body: {body}"),
        _ => ActionOutcome.Failure($"HTTP probe failed with statuscode: {status}") with { HasAnswer = true },
    };

    private static HttpRequestMessage Request(Uri address, IReadOnlyList<HttpHeader> headers, string userAgent, bool keepHost)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.ConnectionClose = true;
        foreach (var header in headers)
        {
            var isHost = header.Name.Equals("Host", StringComparison.OrdinalIgnoreCase);
            if (header.Value.Length > 0 && (!isHost || keepHost))
            {
                request.Headers.TryAddWithoutValidation(header.Name, header.Value);
            }
        }

        // A header that is given without a value is not sent.
        foreach (var (name, value) in ((string, string)[])[("User-Agent", userAgent), ("Accept", "*/*")])
        {
            if (!headers.Any(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    private static Uri? Redirect(HttpResponseMessage response) => response.StatusCode switch
    {
        HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect
            or HttpStatusCode.PermanentRedirect => response.Headers.Location,
        _ => null,
    };

    private static Uri? Resolve(Uri from, Uri location) =>
        Uri.TryCreate(from, location, out var next) && (next.Scheme == Uri.UriSchemeHttp || next.Scheme == Uri.UriSchemeHttps) ? next : null;

    private static async Task<string> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ActionOutcome.MaximumOutput);
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            var count = await body.ReadAtLeastAsync(
                buffer.AsMemory(0, ActionOutcome.MaximumOutput), ActionOutcome.MaximumOutput, throwOnEndOfStream: false, cancellationToken);
            return ActionOutcome.Text(new ReadOnlySequence<byte>(buffer, 0, count));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string Explain(HttpRequestException error, Uri address) => error.InnerException is SocketException inner
        ? $"dial tcp {ActionTarget.HostPort(address.DnsSafeHost, address.Port)}: {ActionTarget.Explain(inner)}"
        : error.InnerException is { } cause ? $"{error.Message} {cause.Message}" : error.Message;
}
