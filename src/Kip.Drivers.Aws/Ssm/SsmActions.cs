using System.Text.Json.Serialization;
using Amazon.Runtime;
using Amazon.SimpleSystemsManagement.Model;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.SimpleSystemsManagement
{
    /// <summary>The one action of Systems Manager that Kip calls, under the names of the package AWSSDK.SimpleSystemsManagement.</summary>
    internal static class SsmActions
    {
        public static readonly JsonService Service = new("ssm", "2014-11-06", "AmazonSSM");

        public static readonly JsonAction<GetParameterRequest, GetParameterResponse> GetParameter =
            new(Service, "GetParameter", SsmJsonContext.Default.GetParameterRequest, SsmJsonContext.Default.GetParameterResponse);
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
