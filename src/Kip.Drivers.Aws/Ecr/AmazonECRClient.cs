using System.Text.Json.Serialization;
using Amazon.ECR.Model;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.ECR
{
    /// <summary>The one action of the private registries that Kip calls, under the names of the package AWSSDK.ECR.</summary>
    internal sealed class AmazonECRClient : JsonServiceClient
    {
        public const string Service = "ecr";
        public const string Host = "api.ecr";
        public const string Version = "2015-09-21";
        private const string Target = "AmazonEC2ContainerRegistry_V20150921";

        /// <summary>A client with the credentials that AWS's own sources give.</summary>
        public AmazonECRClient(AwsServiceConfig config)
            : base(config, Target)
        {
        }

        public AmazonECRClient(AWSCredentials credentials, AwsServiceConfig config)
            : base(credentials, config, Target)
        {
        }

        public Task<GetAuthorizationTokenResponse> GetAuthorizationTokenAsync(GetAuthorizationTokenRequest request, CancellationToken cancellationToken) =>
            InvokeAsync("GetAuthorizationToken", request, EcrJsonContext.Default.GetAuthorizationTokenRequest, EcrJsonContext.Default.GetAuthorizationTokenResponse, cancellationToken);
    }
}

namespace Amazon.ECR.Model
{
    internal sealed class GetAuthorizationTokenRequest : AmazonWebServiceRequest;

    internal sealed class GetAuthorizationTokenResponse : AmazonWebServiceResponse
    {
        public List<AuthorizationData>? AuthorizationData { get; set; }
    }

    /// <summary>A login, for private registries and for the public one.</summary>
    internal sealed class AuthorizationData
    {
        /// <summary><c>user:password</c> in base64.</summary>
        public string? AuthorizationToken { get; set; }

        /// <summary>Seconds since 1970.</summary>
        public double? ExpiresAt { get; set; }
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
    [JsonSerializable(typeof(GetAuthorizationTokenRequest))]
    [JsonSerializable(typeof(GetAuthorizationTokenResponse))]
    [JsonSerializable(typeof(ECRPublic.Model.GetAuthorizationTokenRequest), TypeInfoPropertyName = "PublicRequest")]
    [JsonSerializable(typeof(ECRPublic.Model.GetAuthorizationTokenResponse), TypeInfoPropertyName = "PublicResponse")]
    internal sealed partial class EcrJsonContext : JsonSerializerContext;
}
