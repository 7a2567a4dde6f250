using System.Text.Json.Serialization;
using Amazon.ECR.Model;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;
using Public = Amazon.ECRPublic.Model;

namespace Amazon.ECR
{
    /// <summary>The actions of the private registries and of the public one that Kip calls, under the names of AWSSDK.ECR and AWSSDK.ECRPublic.</summary>
    internal static class EcrActions
    {
        public static readonly JsonService Private = new("ecr", "2015-09-21", "AmazonEC2ContainerRegistry_V20150921", Host: "api.ecr");

        public static readonly JsonService Public = new("ecr-public", "2020-10-30", "SpencerFrontendService", Host: "api.ecr-public");

        public static readonly JsonAction<GetAuthorizationTokenRequest, GetAuthorizationTokenResponse> GetAuthorizationToken =
            new(Private, "GetAuthorizationToken", EcrJsonContext.Default.GetAuthorizationTokenRequest, EcrJsonContext.Default.GetAuthorizationTokenResponse);

        public static readonly JsonAction<Public.GetAuthorizationTokenRequest, Public.GetAuthorizationTokenResponse> GetPublicAuthorizationToken =
            new(Public, "GetAuthorizationToken", EcrJsonContext.Default.PublicRequest, EcrJsonContext.Default.PublicResponse);
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
    [JsonSerializable(typeof(Public.GetAuthorizationTokenRequest), TypeInfoPropertyName = "PublicRequest")]
    [JsonSerializable(typeof(Public.GetAuthorizationTokenResponse), TypeInfoPropertyName = "PublicResponse")]
    internal sealed partial class EcrJsonContext : JsonSerializerContext;
}

namespace Amazon.ECRPublic.Model
{
    internal sealed class GetAuthorizationTokenRequest : AmazonWebServiceRequest;

    internal sealed class GetAuthorizationTokenResponse : AmazonWebServiceResponse
    {
        public AuthorizationData? AuthorizationData { get; set; }
    }
}
