using System.Text.Json.Serialization;
using Amazon.Pricing.Model;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.Pricing
{
    /// <summary>The one action of the price list that Kip calls, under the names of the package AWSSDK.Pricing.</summary>
    internal static class PricingActions
    {
        public static readonly JsonService Service = new("pricing", "2017-10-15", "AWSPriceListService", Host: "api.pricing");

        public static readonly JsonAction<GetProductsRequest, GetProductsResponse> GetProducts =
            new(Service, "GetProducts", PricingJsonContext.Default.GetProductsRequest, PricingJsonContext.Default.GetProductsResponse);
    }
}

namespace Amazon.Pricing.Model
{
    internal sealed class GetProductsRequest : AmazonWebServiceRequest
    {
        public required string ServiceCode { get; init; }

        public List<Filter>? Filters { get; init; }

        public string? FormatVersion { get; init; }

        public string? NextToken { get; set; }

        public int? MaxResults { get; init; }
    }

    /// <summary>One condition that products have to meet.</summary>
    internal sealed class Filter
    {
        public string Type { get; init; } = "TERM_MATCH";

        public required string Field { get; init; }

        public required string Value { get; init; }
    }

    internal sealed class GetProductsResponse : AmazonWebServiceResponse
    {
        public string? FormatVersion { get; set; }

        /// <summary>Each is a JSON text.</summary>
        public List<string>? PriceList { get; set; }

        public string? NextToken { get; set; }
    }

    [JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(GetProductsRequest))]
    [JsonSerializable(typeof(GetProductsResponse))]
    internal sealed partial class PricingJsonContext : JsonSerializerContext;
}
