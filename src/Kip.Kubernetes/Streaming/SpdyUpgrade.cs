using System.Net;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>Asks an HTTP server to speak SPDY/3.1.</summary>
public static class SpdyUpgrade
{
    /// <summary>What the <c>Upgrade</c> header says.</summary>
    public const string Protocol = "SPDY/3.1";

    /// <summary>The header that carries the protocol inside: what is wanted in the request, what was chosen in the answer.</summary>
    public const string ProtocolVersionHeader = "X-Stream-Protocol-Version";

    private const int MaxErrorText = 4096;

    /// <summary>Sends the upgrade request and returns the raw connection with the protocol that the server chose.</summary>
    /// <param name="http">Sends the request; proxies, TLS and credentials are its business.</param>
    /// <param name="uri">The address.</param>
    /// <param name="protocols">The protocols that would do, the best one first.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="HttpRequestException">The server is not reached, or does not upgrade; the message says why.</exception>
    public static async Task<(Stream Transport, string Protocol)> ConnectAsync(
        HttpMessageInvoker http, Uri uri, IReadOnlyList<string> protocols, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(protocols);
        using var request = new HttpRequestMessage(HttpMethod.Post, uri)
        {
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", Protocol);
        foreach (var protocol in protocols)
        {
            request.Headers.TryAddWithoutValidation(ProtocolVersionHeader, protocol);
        }

        // An HttpClient would read to the end of the answer first, which is the end of the session.
        var sending = http is HttpClient client
            ? client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
            : http.SendAsync(request, cancellationToken);
        var response = await sending.ConfigureAwait(false);
        try
        {
            if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
            {
                var text = await ReadErrorAsync(response, cancellationToken).ConfigureAwait(false);
                throw new HttpRequestException(
                    $"{uri.GetLeftPart(UriPartial.Path)} did not upgrade, it answered {(int)response.StatusCode}: {text}",
                    inner: null,
                    response.StatusCode);
            }

            // The connection lives on in the stream, which is the response's to dispose.
            var chosen = response.Headers.TryGetValues(ProtocolVersionHeader, out var values) ? values.First() : protocols[^1];
            return (await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), chosen);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static async Task<string> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var bytes = new byte[MaxErrorText];
        var count = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        return Encoding.UTF8.GetString(bytes, 0, count).Trim();
    }
}
