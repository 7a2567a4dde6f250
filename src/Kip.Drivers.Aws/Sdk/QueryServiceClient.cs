using System.Net;
using System.Xml;
using System.Xml.Linq;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Amazon.Runtime.Internal.Transform;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>A request of a service that speaks the query protocol.</summary>
internal abstract class QueryRequest : AmazonWebServiceRequest
{
    /// <summary>Name of the action, as permissions name it too.</summary>
    public abstract string Action { get; }

    public abstract void Write(QueryParameters parameters);
}

/// <summary>An answer in XML.</summary>
internal interface IQueryResponse<out T>
    where T : AmazonWebServiceResponse
{
    /// <summary>Reads the answer from its root.</summary>
    static abstract T Read(XElement root);
}

/// <summary>A service that speaks the query protocol: a form there, XML back.</summary>
internal abstract class QueryServiceClient : AwsServiceClient
{
    protected QueryServiceClient(AwsServiceConfig config)
        : base(config)
    {
    }

    protected QueryServiceClient(AWSCredentials credentials, AwsServiceConfig config)
        : base(credentials, config)
    {
    }

    protected Task<T> InvokeAsync<T>(QueryRequest request, CancellationToken cancellationToken)
        where T : AmazonWebServiceResponse, IQueryResponse<T>, new() =>
        InvokeAsync<T>(
            request,
            new InvokeOptions { RequestMarshaller = new Marshaller(Config.ServiceVersion), ResponseUnmarshaller = Unmarshaller<T>.Instance },
            cancellationToken);

    private sealed class Marshaller(string version) : IMarshaller<IRequest, AmazonWebServiceRequest>
    {
        public IRequest Marshall(AmazonWebServiceRequest input)
        {
            var query = (QueryRequest)input;
            var request = new DefaultRequest(query, "Amazon.EC2") { HttpMethod = "POST", ResourcePath = "/", UseQueryString = false };
            var parameters = new QueryParameters(request.ParameterCollection, "");
            parameters.Add("Action", query.Action);
            parameters.Add("Version", version);
            query.Write(parameters);
            return request;
        }
    }

    private sealed class Unmarshaller<T> : XmlResponseUnmarshaller
        where T : AmazonWebServiceResponse, IQueryResponse<T>
    {
        public static readonly Unmarshaller<T> Instance = new();

        public override AmazonWebServiceResponse Unmarshall(XmlUnmarshallerContext input) => T.Read(XmlMembers.Parse(input.Stream));

        public override AmazonServiceException UnmarshallException(XmlUnmarshallerContext input, Exception innerException, HttpStatusCode statusCode)
        {
            XElement? root = null;
            try
            {
                root = XmlMembers.Parse(input.Stream);
            }
            catch (XmlException)
            {
                // A proxy's error page, or half an answer: the status has to say it.
            }

            var error = root?.DescendantsAndSelf("Error").FirstOrDefault();
            var requestId = root?.Descendants().FirstOrDefault(static element => element.Name.LocalName is "RequestID" or "RequestId")?.Value;
            return new AmazonServiceException(
                error?.Text("Message") ?? $"HTTP status {(int)statusCode}",
                innerException,
                (int)statusCode >= 500 ? ErrorType.Receiver : ErrorType.Sender,
                error?.Text("Code") ?? statusCode.ToString(),
                requestId,
                statusCode);
        }
    }
}
