using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>A service that speaks JSON, by version 1.0 or 1.1 of AWS's protocol: the action is in a header.</summary>
internal abstract class JsonServiceClient : AwsServiceClient
{
    private readonly string _target;
    private readonly string _version;

    protected JsonServiceClient(AwsServiceConfig config, string target, string version = "1.1")
        : base(config) => (_target, _version) = (target, version);

    protected JsonServiceClient(AWSCredentials credentials, AwsServiceConfig config, string target, string version = "1.1")
        : base(credentials, config) => (_target, _version) = (target, version);

    protected Task<TResponse> InvokeAsync<TRequest, TResponse>(
        string action, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken cancellationToken)
        where TRequest : AmazonWebServiceRequest
        where TResponse : AmazonWebServiceResponse, new() =>
        InvokeAsync<TResponse>(
            request,
            new InvokeOptions
            {
                RequestMarshaller = new Marshaller<TRequest>($"{_target}.{action}", _version, requestType),
                ResponseUnmarshaller = new Unmarshaller<TResponse>(responseType),
            },
            cancellationToken);

    private sealed class Marshaller<T>(string target, string version, JsonTypeInfo<T> type) : IMarshaller<IRequest, AmazonWebServiceRequest>
        where T : AmazonWebServiceRequest
    {
        public IRequest Marshall(AmazonWebServiceRequest input)
        {
            var request = new DefaultRequest(input, "Amazon.Json")
            {
                HttpMethod = "POST",
                ResourcePath = "/",
                Content = JsonSerializer.SerializeToUtf8Bytes((T)input, type),
            };
            request.Headers["X-Amz-Target"] = target;
            request.Headers["Content-Type"] = "application/x-amz-json-" + version;
            return request;
        }
    }

    private sealed class Unmarshaller<T>(JsonTypeInfo<T> type) : JsonResponseUnmarshaller
        where T : AmazonWebServiceResponse, new()
    {
        public override AmazonWebServiceResponse Unmarshall(JsonUnmarshallerContext input)
        {
            using var body = new MemoryStream();
            input.Stream.CopyTo(body);
            if (body.Length == 0)
            {
                return new T(); // of an action that has nothing to answer
            }

            body.Position = 0;
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException("the answer is null");
        }

        public override AmazonServiceException UnmarshallException(JsonUnmarshallerContext input, Exception innerException, HttpStatusCode statusCode)
        {
            string? code = null, message = null;
            try
            {
                using var document = JsonDocument.Parse(input.Stream);
                code = Text(document.RootElement, "__type")?.Split('#')[^1];
                message = Text(document.RootElement, "message") ?? Text(document.RootElement, "Message");
            }
            catch (JsonException)
            {
                // A proxy's error page, or half an answer: the status has to say it.
            }

            return new AmazonServiceException(
                message ?? $"HTTP status {(int)statusCode}",
                innerException,
                (int)statusCode >= 500 ? ErrorType.Receiver : ErrorType.Sender,
                code ?? statusCode.ToString(),
                null,
                statusCode);
        }

        private static string? Text(JsonElement element, string name) =>
            element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : null;
    }
}
