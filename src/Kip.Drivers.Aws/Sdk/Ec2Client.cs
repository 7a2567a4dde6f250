using Amazon.EC2;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Amazon.Runtime.Internal;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>The client of EC2, which does not ask again at once when there are no machines.</summary>
internal sealed class Ec2Client : AmazonEC2Client
{
    private Ec2Client(AWSCredentials credentials, AmazonEC2Config config)
        : base(credentials, config)
    {
    }

    /// <summary>Makes it; nothing is called yet.</summary>
    public static AmazonEC2Client Make(AwsDriverOptions options, HttpClientFactory http)
    {
        var config = new AmazonEC2Config { HttpClientFactory = http };
        AwsServiceConfig.Configure(config, options.Region, options.EndpointUrl);
        return new Ec2Client(options.Credentials ?? new FoundWhenNeeded(config), config);
    }

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        base.CustomizeRuntimePipeline(pipeline);
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(new PatientOnlyWhereItHelps(Config)));
    }

    /// <summary>The credentials that AWS's own sources give, for each request anew. Left to itself the client looks for them when it is made, and cannot be made without.</summary>
    private sealed class FoundWhenNeeded(IClientConfig config) : AWSCredentials
    {
        public override ImmutableCredentials GetCredentials() => DefaultAWSCredentialsIdentityResolver.GetCredentials(config).GetCredentials();

        public override async Task<ImmutableCredentials> GetCredentialsAsync()
        {
            var found = await DefaultAWSCredentialsIdentityResolver.GetCredentialsAsync(config).ConfigureAwait(false);
            return await found.GetCredentialsAsync().ConfigureAwait(false);
        }
    }

    /// <summary>EC2 says that it has no machines with status 500; asking again at once would only keep the pod from another type.</summary>
    private sealed class PatientOnlyWhereItHelps(IClientConfig config) : StandardRetryPolicy(config)
    {
        public override Task<bool> RetryForExceptionAsync(IExecutionContext executionContext, Exception exception) =>
            exception is AmazonServiceException { ErrorCode: { } code } && code.StartsWith("Insufficient", StringComparison.Ordinal)
                ? Task.FromResult(false)
                : base.RetryForExceptionAsync(executionContext, exception);
    }
}
