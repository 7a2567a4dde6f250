using Amazon.EC2;
using Amazon.Runtime;
using Amazon.SimpleSystemsManagement;
using Amazon.SQS;
using Kip.Drivers.Aws.Sdk;

namespace Kip.Drivers.Aws;

/// <summary>The clients of the services, and how they are called: failures in the driver's terms, pages put together.</summary>
internal sealed class AwsCalls : IDisposable
{
    // A list that does not end is an endpoint that repeats itself.
    private const int MaxPages = 1000;

    private readonly AwsDriverOptions _options;
    private readonly HttpClients _http;

    /// <summary>Makes the clients; nothing is called yet.</summary>
    /// <param name="options">Region, credentials and endpoint.</param>
    /// <param name="makeHandler">Makes what requests go through.</param>
    public AwsCalls(AwsDriverOptions options, Func<HttpMessageHandler> makeHandler)
    {
        SsoClients.Register();
        _options = options;
        _http = new HttpClients(makeHandler);
        Ec2 = Ec2Client.Make(options, _http);
        Ssm = Make(SsmActions.Service);
        if (options.InterruptionQueue is { } queue)
        {
            // A queue's address says where its service is.
            Sqs = Make(SqsActions.Service, endpoint: new Uri(queue.GetLeftPart(UriPartial.Authority)));
        }
    }

    public IAmazonEC2 Ec2 { get; }

    public JsonServiceClient Ssm { get; }

    /// <summary>Null without a queue.</summary>
    public JsonServiceClient? Sqs { get; }

    /// <summary>Calls once.</summary>
    /// <param name="permission">The permission that the call needs, for example <c>ec2:RunInstances</c>.</param>
    /// <param name="purpose">What it is for, to go on after "cannot".</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DriverException">The call failed.</exception>
    public static async Task<T> CallAsync<T>(string permission, string purpose, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await call(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not DriverException)
        {
            // Whatever it is comes from the network or AWSSDK.Core; which exceptions that throws is not documented.
            cancellationToken.ThrowIfCancellationRequested();
            throw AwsErrors.Translate(exception, permission, purpose);
        }
    }

    /// <summary>Calls an action of a service that speaks JSON, once.</summary>
    /// <inheritdoc cref="CallAsync{T}(string, string, Func{CancellationToken, Task{T}}, CancellationToken)"/>
    public static Task<TResponse> CallAsync<TRequest, TResponse>(
        JsonServiceClient client, JsonAction<TRequest, TResponse> action, TRequest request, string purpose, CancellationToken cancellationToken)
        where TRequest : AmazonWebServiceRequest
        where TResponse : AmazonWebServiceResponse, new() =>
        CallAsync($"{action.Service.Name}:{action.Name}", purpose, token => client.CallAsync(action, request, token), cancellationToken);

    /// <summary>Reads all pages.</summary>
    /// <exception cref="DriverException">A call failed; what came before is not to be used.</exception>
    public static Task<List<TItem>> PageAsync<TResponse, TItem>(
        string permission,
        string purpose,
        IAsyncEnumerable<TResponse> pages,
        Func<TResponse, IEnumerable<TItem>?> read,
        CancellationToken cancellationToken) =>
        CallAsync(
            permission,
            purpose,
            async token =>
            {
                List<TItem> all = [];
                var count = 0;
                await foreach (var page in pages.WithCancellation(token).ConfigureAwait(false))
                {
                    if (++count > MaxPages)
                    {
                        throw new DriverException(DriverErrorKind.Transient, $"cannot {purpose}: {permission} has more than {MaxPages} pages");
                    }

                    all.AddRange(read(page) ?? []);
                }

                return all;
            },
            cancellationToken);

    public void Dispose()
    {
        Ec2.Dispose();
        Ssm.Dispose();
        Sqs?.Dispose();
    }

    /// <summary>Makes the client of a service that speaks JSON.</summary>
    /// <param name="service">The service.</param>
    /// <param name="region">The region; null for that of the options.</param>
    /// <param name="isFips">Whether only cryptography by the American standard is to be used.</param>
    /// <param name="endpoint">Where it is; null for what the options say.</param>
    public JsonServiceClient Make(JsonService service, string? region = null, bool isFips = false, Uri? endpoint = null)
    {
        var config = new AwsServiceConfig(service.Name, service.Version, region ?? _options.Region, endpoint ?? _options.EndpointUrl, service.Host) { HttpClientFactory = _http };
        if (isFips)
        {
            config.UseFIPSEndpoint = true;
        }

        return _options.Credentials is { } own ? new JsonServiceClient(own, config) : new JsonServiceClient(config);
    }
}
