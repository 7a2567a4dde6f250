using Amazon.Runtime;
using Amazon.Runtime.Credentials.Internal;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Auth;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>
/// One AWS service on top of AWSSDK.Core, which brings credentials, signatures (version 4), retries and connections. Its extension points
/// are public but in namespaces called Internal: the version of the package is pinned.
/// </summary>
internal abstract class AwsServiceClient : AmazonServiceClient
{
    protected AwsServiceClient(AwsServiceConfig config)
        : base(config)
    {
    }

    protected AwsServiceClient(AWSCredentials credentials, AwsServiceConfig config)
        : base(credentials, config)
    {
    }

    protected override void CustomizeRuntimePipeline(RuntimePipeline pipeline)
    {
        pipeline.RemoveHandler<EndpointResolver>();
        pipeline.AddHandlerAfter<Marshaller>(new Endpoints());
        pipeline.AddHandlerAfter<RetryHandler>(new SignatureVersion4());
    }

    private sealed class Endpoints : BaseEndpointResolver
    {
        protected override EndpointParameters MapEndpointsParameters(IRequestContext requestContext) => new();

        protected override void ServiceSpecificHandler(IExecutionContext executionContext, EndpointParameters parameters)
        {
            // The endpoint is the configuration's, whatever is asked of it.
        }
    }

    private sealed class SignatureVersion4 : BaseAuthResolverHandler
    {
        private static readonly List<IAuthSchemeOption> Options = [new AuthSchemeOption { SchemeId = "aws.auth#sigv4" }];

        protected override List<IAuthSchemeOption> ResolveAuthOptions(IExecutionContext executionContext) => Options;
    }
}
