using System.Text.Json.Serialization;
using Amazon.Runtime;
using Amazon.ServiceQuotas.Model;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.ServiceQuotas
{
    /// <summary>The one action of Service Quotas that Kip calls, under the names of the package AWSSDK.ServiceQuotas.</summary>
    internal static class ServiceQuotasActions
    {
        public static readonly JsonService Service = new("servicequotas", "2019-06-24", "ServiceQuotasV20190624");

        public static readonly JsonAction<GetServiceQuotaRequest, GetServiceQuotaResponse> GetServiceQuota =
            new(Service, "GetServiceQuota", ServiceQuotasJsonContext.Default.GetServiceQuotaRequest, ServiceQuotasJsonContext.Default.GetServiceQuotaResponse);
    }
}

namespace Amazon.ServiceQuotas.Model
{
    internal sealed class GetServiceQuotaRequest : AmazonWebServiceRequest
    {
        public required string ServiceCode { get; init; }

        public required string QuotaCode { get; init; }
    }

    internal sealed class GetServiceQuotaResponse : AmazonWebServiceResponse
    {
        public ServiceQuota? Quota { get; set; }
    }

    internal sealed class ServiceQuota
    {
        public double? Value { get; set; }
    }

    [JsonSerializable(typeof(GetServiceQuotaRequest))]
    [JsonSerializable(typeof(GetServiceQuotaResponse))]
    internal sealed partial class ServiceQuotasJsonContext : JsonSerializerContext;
}
