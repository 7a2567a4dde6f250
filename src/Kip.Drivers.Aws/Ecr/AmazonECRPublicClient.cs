using Amazon.ECR.Model;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.ECRPublic
{
    /// <summary>The one action of the public registry that Kip calls, under the names of the package AWSSDK.ECRPublic.</summary>
    internal sealed class AmazonECRPublicClient : JsonServiceClient
    {
        public const string Service = "ecr-public";
        public const string Host = "api.ecr-public";
        public const string Version = "2020-10-30";
        private const string Target = "SpencerFrontendService";

        /// <summary>A client with the credentials that AWS's own sources give.</summary>
        public AmazonECRPublicClient(AwsServiceConfig config)
            : base(config, Target)
        {
        }

        public AmazonECRPublicClient(AWSCredentials credentials, AwsServiceConfig config)
            : base(credentials, config, Target)
        {
        }

        public Task<Model.GetAuthorizationTokenResponse> GetAuthorizationTokenAsync(Model.GetAuthorizationTokenRequest request, CancellationToken cancellationToken) =>
            InvokeAsync("GetAuthorizationToken", request, EcrJsonContext.Default.PublicRequest, EcrJsonContext.Default.PublicResponse, cancellationToken);
    }
}

namespace Amazon.ECRPublic.Model
{
    internal sealed class GetAuthorizationTokenRequest : AmazonWebServiceRequest;

    internal sealed class GetAuthorizationTokenResponse : AmazonWebServiceResponse
    {
        public AuthorizationData? AuthorizationData { get; set; }
    }
}
