using System.Text.Json.Serialization;
using Amazon.Runtime;
using Amazon.SQS.Model;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.SQS
{
    /// <summary>The two actions of the queue service that Kip calls, under the names of the package AWSSDK.SQS.</summary>
    internal static class SqsActions
    {
        public static readonly JsonService Service = new("sqs", "2012-11-05", "AmazonSQS", Protocol: "1.0");

        public static readonly JsonAction<ReceiveMessageRequest, ReceiveMessageResponse> ReceiveMessage =
            new(Service, "ReceiveMessage", SqsJsonContext.Default.ReceiveMessageRequest, SqsJsonContext.Default.ReceiveMessageResponse);

        public static readonly JsonAction<DeleteMessageRequest, DeleteMessageResponse> DeleteMessage =
            new(Service, "DeleteMessage", SqsJsonContext.Default.DeleteMessageRequest, SqsJsonContext.Default.DeleteMessageResponse);
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
