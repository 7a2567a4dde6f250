using System.Text.Json.Serialization;
using Amazon.Runtime;
using Amazon.SimpleSystemsManagement.Model;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.SimpleSystemsManagement
{
    /// <summary>The one action of Systems Manager that Kip calls, under the names of the package AWSSDK.SimpleSystemsManagement.</summary>
    internal sealed class AmazonSimpleSystemsManagementClient : JsonServiceClient
    {
        public const string Service = "ssm";
        public const string Version = "2014-11-06";

        /// <summary>A client with the credentials that AWS's own sources give.</summary>
        public AmazonSimpleSystemsManagementClient(AwsServiceConfig config)
            : base(config, "AmazonSSM")
        {
        }

        public AmazonSimpleSystemsManagementClient(AWSCredentials credentials, AwsServiceConfig config)
            : base(credentials, config, "AmazonSSM")
        {
        }

        public Task<GetParameterResponse> GetParameterAsync(GetParameterRequest request, CancellationToken cancellationToken) =>
            InvokeAsync("GetParameter", request, SsmJsonContext.Default.GetParameterRequest, SsmJsonContext.Default.GetParameterResponse, cancellationToken);
    }
}

namespace Amazon.SimpleSystemsManagement.Model
{
    internal sealed class GetParameterRequest : AmazonWebServiceRequest
    {
        public string? Name { get; set; }
    }

    internal sealed class GetParameterResponse : AmazonWebServiceResponse
    {
        public Parameter? Parameter { get; set; }
    }

    internal sealed class Parameter
    {
        public string? Value { get; set; }
    }

    [JsonSerializable(typeof(GetParameterRequest))]
    [JsonSerializable(typeof(GetParameterResponse))]
    internal sealed partial class SsmJsonContext : JsonSerializerContext;
}
