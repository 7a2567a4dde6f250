using Amazon.EC2;
using Amazon.Runtime;
using Amazon.Runtime.Internal;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>The client of EC2, which does not ask again at once when there are no machines.</summary>
internal sealed class Ec2Client : AmazonEC2Client
{
    private Ec2Client(AmazonEC2Config config)
        : base(config)
    {
    }

    private Ec2Client(AWSCredentials credentials, AmazonEC2Config config)
        : base(credentials, config)
    {
    }

    /// <summary>Makes it; nothing is called yet.</summary>
    public static AmazonEC2Client Make(AwsDriverOptions options, HttpClientFactory http)
    {
        var config = new AmazonEC2Config { HttpClientFactory = http };
        AwsServiceConfig.Configure(config, options.Region, options.EndpointUrl);
        return options.Credentials is { } own ? new Ec2Client(own, config) : new Ec2Client(config);
    }

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        base.CustomizeRuntimePipeline(pipeline);
        pipeline.ReplaceHandler<RetryHandler>(new RetryHandler(new PatientOnlyWhereItHelps(Config)));
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
