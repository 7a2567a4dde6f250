using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>A service that speaks JSON.</summary>
/// <param name="Name">Its name in signatures and permissions, for example <c>ssm</c>.</param>
/// <param name="Version">Version of its API, a date.</param>
/// <param name="Target">What stands before the action in the header that names it.</param>
/// <param name="Protocol">Version of AWS's protocol of JSON: 1.0 or 1.1.</param>
/// <param name="Host">Its name in endpoints; null for <paramref name="Name"/>.</param>
internal sealed record JsonService(string Name, string Version, string Target, string Protocol = "1.1", string? Host = null);

/// <summary>An action of such a service.</summary>
internal sealed record JsonAction<TRequest, TResponse>(JsonService Service, string Name, JsonTypeInfo<TRequest> Request, JsonTypeInfo<TResponse> Response)
    where TRequest : AmazonWebServiceRequest
    where TResponse : AmazonWebServiceResponse, new();

/// <summary>Calls a service that speaks JSON.</summary>
internal sealed class JsonServiceClient : AwsServiceClient
{
    /// <summary>With the credentials that AWS's own sources give.</summary>
    public JsonServiceClient(AwsServiceConfig config)
        : base(config)
    {
    }

    public JsonServiceClient(AWSCredentials credentials, AwsServiceConfig config)
        : base(credentials, config)
    {
    }

    public Task<TResponse> CallAsync<TRequest, TResponse>(JsonAction<TRequest, TResponse> action, TRequest request, CancellationToken cancellationToken)
        where TRequest : AmazonWebServiceRequest
        where TResponse : AmazonWebServiceResponse, new() =>
        InvokeAsync<TResponse>(
            request,
            new InvokeOptions
            {
                RequestMarshaller = new Marshaller<TRequest>($"{action.Service.Target}.{action.Name}", action.Service.Protocol, action.Request),
                ResponseUnmarshaller = new Unmarshaller<TResponse>(action.Response),
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
