using Amazon.Runtime;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>Makes the HTTP client of one service client.</summary>
internal sealed class HttpClients(Func<HttpMessageHandler> makeHandler) : HttpClientFactory
{
    // DescribeInstances with the largest page is about 10 MB.
    private const long MaxAnswer = 64 << 20;
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    /// <summary>The handler for real endpoints.</summary>
    public static HttpMessageHandler MakeHandler(bool insecureTlsSkipVerify)
    {
        // A life of their own for connections, so that a change of the endpoint's addresses is noticed.
        var handler = new SocketsHttpHandler { PooledConnectionLifetime = ConnectionLifetime, AllowAutoRedirect = false };
        if (insecureTlsSkipVerify)
        {
#pragma warning disable CA5359 // Asked for by name, for endpoints in a laboratory.
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        return handler;
    }

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) =>
        new(new Buffering(makeHandler())) { Timeout = clientConfig.Timeout ?? Timeout.InfiniteTimeSpan };

    /// <summary>Reads each answer before it is parsed: AWSSDK.Core parses without a way to cancel.</summary>
    private sealed class Buffering(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            try
            {
                await response.Content.LoadIntoBufferAsync(MaxAnswer, cancellationToken).ConfigureAwait(false);
                return response;
            }
            catch
            {
                response.Dispose();
                throw;
            }
        }
    }
}
