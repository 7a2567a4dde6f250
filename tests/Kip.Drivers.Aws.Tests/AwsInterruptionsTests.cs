using System.Globalization;
using System.Text;
using System.Text.Json;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Drivers.Aws.Tests;

/// <summary>Spot notices from a queue, of moto's making.</summary>
[Collection(MotoServer.Collection)]
public sealed class AwsInterruptionsTests(MotoServer server) : IDisposable
{
    private readonly HttpClient _http = new();
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(1));

    public void Dispose()
    {
        _http.Dispose();
        _limit.Dispose();
    }

    [MotoFact]
    public async Task Watch_NoticesAndWhatIsNone_AreToldOrRemoved_ThoseOfOthersStay()
    {
        var queue = await MakeQueueAsync();
        var now = TimeProvider.System.GetUtcNow();
        var at = now.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        await SendAsync(queue, Event("EC2 Spot Instance Interruption Warning", at, "i-1", ", \"instance-action\": \"terminate\""));
        await SendAsync(queue, Event("EC2 Instance Rebalance Recommendation", at, "i-1"));
        await SendAsync(queue, "hello");
        await SendAsync(queue, Event("EC2 Instance State-change Notification", at, "i-1", ", \"state\": \"running\""));
        await SendAsync(queue, Event("EC2 Spot Instance Interruption Warning", "2020-01-01T00:00:00Z", "i-1", ", \"instance-action\": \"terminate\""));
        await SendAsync(queue, Event("EC2 Spot Instance Interruption Warning", at, "i-of-another", ", \"instance-action\": \"terminate\""));
        using var driver = MakeDriver(queue);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_limit.Token);
        var told = new List<InterruptionNotice>();

        var watching = driver.WatchInterruptionsAsync(
            (notice, _) =>
            {
                told.Add(notice);
                return Task.FromResult(notice.InstanceId == "i-1");
            },
            enough.Token);
        while (await CountAsync(queue) > 1)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, _limit.Token); // another process's work
        }

        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);
        Assert.Equal(1, await CountAsync(queue));
        var taken = Assert.Single(told, static n => n is { InstanceId: "i-1", Deadline: not null });
        Assert.InRange((taken.Deadline!.Value - now).TotalSeconds, 118, 121);
        Assert.Equal("the cloud will terminate the spot instance", taken.Message);
        Assert.Single(told, static n => n is { InstanceId: "i-1", Deadline: null });
        Assert.Contains(told, static n => n.InstanceId == "i-of-another");
    }

    [MotoFact]
    public async Task Watch_NoSuchQueue_SaysSo()
    {
        using var driver = MakeDriver(new Uri(server.Address, "123456789012/none"));

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.WatchInterruptionsAsync(static (_, _) => Task.FromResult(true), _limit.Token));

        Assert.StartsWith("cannot read spot notices: ", error.Message, StringComparison.Ordinal);
    }

    private AwsDriver MakeDriver(Uri queue) => new(
        new AwsDriverOptions
        {
            ControllerId = "me",
            Region = "us-east-1",
            Credentials = new BasicAWSCredentials("test", "test"),
            EndpointUrl = server.Address,
            InterruptionQueue = queue,
        },
        TimeProvider.System,
        NullLogger<AwsDriver>.Instance);

    private static string Event(string type, string time, string instance, string more = "") =>
        $$$"""{"version": "0", "id": "1", "detail-type": "{{{type}}}", "source": "aws.ec2", "account": "123456789012", "time": "{{{time}}}", "region": "us-east-1", "resources": [], "detail": {"instance-id": "{{{instance}}}"{{{more}}} } }""";

    private async Task<Uri> MakeQueueAsync() =>
        new((await CallAsync("CreateQueue", new() { ["QueueName"] = $"q-{Guid.NewGuid():N}" })).RootElement.GetProperty("QueueUrl").GetString()!);

    private Task<JsonDocument> SendAsync(Uri queue, string body) => CallAsync("SendMessage", new() { ["QueueUrl"] = queue.AbsoluteUri, ["MessageBody"] = body });

    /// <summary>Messages that are in the queue, read and hidden ones too.</summary>
    private async Task<int> CountAsync(Uri queue)
    {
        using var answer = await CallAsync("GetQueueAttributes", new() { ["QueueUrl"] = queue.AbsoluteUri, ["AttributeNames"] = (string[])["All"] });
        var attributes = answer.RootElement.GetProperty("Attributes");
        return Number("ApproximateNumberOfMessages") + Number("ApproximateNumberOfMessagesNotVisible");

        int Number(string name) => int.Parse(attributes.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);
    }

    private async Task<JsonDocument> CallAsync(string action, Dictionary<string, object> parameters)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Address)
        {
            Content = new StringContent(JsonSerializer.Serialize(parameters), Encoding.UTF8, "application/x-amz-json-1.0"),
        };
        request.Headers.Add("X-Amz-Target", $"AmazonSQS.{action}");
        request.Headers.TryAddWithoutValidation("Authorization", "AWS4-HMAC-SHA256 Credential=test/20300101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0");
        using var response = await _http.SendAsync(request, _limit.Token);
        var text = await response.Content.ReadAsStringAsync(_limit.Token);
        Assert.True(response.IsSuccessStatusCode, $"{action}: {text}");
        return JsonDocument.Parse(text.Length == 0 ? "{}" : text);
    }
}
