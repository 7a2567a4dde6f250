using System.Text.Json.Serialization;
using Amazon.Runtime;
using Amazon.SQS.Model;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.SQS
{
    /// <summary>The two actions of the queue service that Kip calls, under the names of the package AWSSDK.SQS.</summary>
    internal sealed class AmazonSQSClient : JsonServiceClient
    {
        public const string Service = "sqs";
        public const string Version = "2012-11-05";

        /// <summary>A client with the credentials that AWS's own sources give.</summary>
        public AmazonSQSClient(AwsServiceConfig config)
            : base(config, "AmazonSQS", "1.0")
        {
        }

        public AmazonSQSClient(AWSCredentials credentials, AwsServiceConfig config)
            : base(credentials, config, "AmazonSQS", "1.0")
        {
        }

        public Task<ReceiveMessageResponse> ReceiveMessageAsync(ReceiveMessageRequest request, CancellationToken cancellationToken) =>
            InvokeAsync("ReceiveMessage", request, SqsJsonContext.Default.ReceiveMessageRequest, SqsJsonContext.Default.ReceiveMessageResponse, cancellationToken);

        public Task<DeleteMessageResponse> DeleteMessageAsync(DeleteMessageRequest request, CancellationToken cancellationToken) =>
            InvokeAsync("DeleteMessage", request, SqsJsonContext.Default.DeleteMessageRequest, SqsJsonContext.Default.DeleteMessageResponse, cancellationToken);
    }
}

namespace Amazon.SQS.Model
{
    internal sealed class ReceiveMessageRequest : AmazonWebServiceRequest
    {
        public string? QueueUrl { get; set; }

        public int MaxNumberOfMessages { get; set; }

        public int WaitTimeSeconds { get; set; }

        public int VisibilityTimeout { get; set; }
    }

    internal sealed class ReceiveMessageResponse : AmazonWebServiceResponse
    {
        public List<Message>? Messages { get; set; }
    }

    internal sealed class Message
    {
        public string? Body { get; set; }

        public string? ReceiptHandle { get; set; }
    }

    internal sealed class DeleteMessageRequest : AmazonWebServiceRequest
    {
        public string? QueueUrl { get; set; }

        public string? ReceiptHandle { get; set; }
    }

    internal sealed class DeleteMessageResponse : AmazonWebServiceResponse;

    [JsonSerializable(typeof(ReceiveMessageRequest))]
    [JsonSerializable(typeof(ReceiveMessageResponse))]
    [JsonSerializable(typeof(DeleteMessageRequest))]
    [JsonSerializable(typeof(DeleteMessageResponse))]
    internal sealed partial class SqsJsonContext : JsonSerializerContext;
}
