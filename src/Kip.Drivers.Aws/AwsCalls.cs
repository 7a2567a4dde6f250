using Amazon.EC2;
using Amazon.EC2.Model;
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

    private readonly HttpClients _http;

    /// <summary>Makes the clients; nothing is called yet.</summary>
    /// <param name="options">Region, credentials and endpoint.</param>
    /// <param name="makeHandler">Makes what requests go through.</param>
    public AwsCalls(AwsDriverOptions options, Func<HttpMessageHandler> makeHandler)
    {
        _http = new HttpClients(makeHandler);
        var ec2 = Configure(AmazonEC2Client.Service, AmazonEC2Client.Version, options);
        var ssm = Configure(AmazonSimpleSystemsManagementClient.Service, AmazonSimpleSystemsManagementClient.Version, options);
        Ec2 = options.Credentials is { } own ? new AmazonEC2Client(own, ec2) : new AmazonEC2Client(ec2);
        Ssm = options.Credentials is { } same ? new AmazonSimpleSystemsManagementClient(same, ssm) : new AmazonSimpleSystemsManagementClient(ssm);
        if (options.InterruptionQueue is { } queue)
        {
            // A queue's address says where its service is.
            var sqs = new AwsServiceConfig(AmazonSQSClient.Service, AmazonSQSClient.Version, options.Region, new Uri(queue.GetLeftPart(UriPartial.Authority))) { HttpClientFactory = _http };
            Sqs = options.Credentials is { } too ? new AmazonSQSClient(too, sqs) : new AmazonSQSClient(sqs);
        }
    }

    public AmazonEC2Client Ec2 { get; }

    public AmazonSimpleSystemsManagementClient Ssm { get; }

    /// <summary>Null without a queue.</summary>
    public AmazonSQSClient? Sqs { get; }

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

    /// <summary>Calls until there is no further page.</summary>
    /// <exception cref="DriverException">A call failed; what came before is not to be used.</exception>
    public static async Task<List<TItem>> PageAsync<TRequest, TResponse, TItem>(
        string purpose,
        TRequest request,
        Func<TRequest, CancellationToken, Task<TResponse>> call,
        Func<TResponse, (IEnumerable<TItem> Items, string? NextToken)> read,
        CancellationToken cancellationToken)
        where TRequest : AmazonEC2PagedRequest
    {
        List<TItem> all = [];
        for (var page = 0; page < MaxPages; page++)
        {
            var response = await CallAsync($"ec2:{request.Action}", purpose, token => call(request, token), cancellationToken).ConfigureAwait(false);
            var (items, next) = read(response);
            all.AddRange(items);
            if (next is null)
            {
                return all;
            }

            request.NextToken = next;
        }

        throw new DriverException(DriverErrorKind.Transient, $"cannot {purpose}: {request.Action} has more than {MaxPages} pages");
    }

    public void Dispose()
    {
        Ec2.Dispose();
        Ssm.Dispose();
        Sqs?.Dispose();
    }

    private AwsServiceConfig Configure(string service, string version, AwsDriverOptions options) =>
        new(service, version, options.Region, options.EndpointUrl) { HttpClientFactory = _http };
}
