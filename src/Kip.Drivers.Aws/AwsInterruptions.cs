using System.Globalization;
using System.Text.Json;
using Amazon.SQS;
using Amazon.SQS.Model;
using Kip.Drivers.Aws.Sdk;
using Microsoft.Extensions.Logging;

namespace Kip.Drivers.Aws;

/// <summary>
/// Reads EC2's spot notices from a queue that EventBridge puts them in. The events are those of the EC2 User Guide, "Spot Instance
/// interruption notices" and "EC2 instance rebalance recommendations".
/// </summary>
internal sealed partial class AwsInterruptions(Uri queue, JsonServiceClient client, TimeProvider time, ILogger logger)
{
    private const int AtOnce = 10;
    private const int WaitSeconds = 20; // as long as SQS lets one wait, and less than a call may take
    private const int HiddenSeconds = 10; // what nobody here knows is another host's, which has two minutes in all

    // From the event to the end of the instance.
    private static readonly TimeSpan Notice = TimeSpan.FromMinutes(2);

    // Where all that there is are other hosts' messages, they come again and again.
    private static readonly TimeSpan ForeignPause = TimeSpan.FromSeconds(3);

    private readonly ILogger _logger = logger;

    /// <inheritdoc cref="IInterruptionSource.WatchInterruptionsAsync"/>
    public async Task WatchAsync(Func<InterruptionNotice, CancellationToken, Task<bool>> hear, CancellationToken cancellationToken)
    {
        while (true)
        {
            var received = await AwsCalls.CallAsync(
                client,
                SqsActions.ReceiveMessage,
                new ReceiveMessageRequest { QueueUrl = queue.AbsoluteUri, MaxNumberOfMessages = AtOnce, WaitTimeSeconds = WaitSeconds, VisibilityTimeout = HiddenSeconds },
                "read spot notices",
                cancellationToken).ConfigureAwait(false);
            var messages = received.Messages ?? [];
            var kept = 0;
            foreach (var message in messages)
            {
                if (Read(message.Body ?? "") is { } notice && !IsOver(notice) && !await hear(notice, cancellationToken).ConfigureAwait(false))
                {
                    kept++;
                    continue;
                }

                await AwsCalls.CallAsync(
                    client,
                    SqsActions.DeleteMessage,
                    new DeleteMessageRequest { QueueUrl = queue.AbsoluteUri, ReceiptHandle = message.ReceiptHandle },
                    "forget a spot notice",
                    cancellationToken).ConfigureAwait(false);
            }

            if (kept > 0 && kept == messages.Count)
            {
                await Task.Delay(ForeignPause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // Of an instance that is gone nobody needs to hear.
    private bool IsOver(InterruptionNotice notice) => notice.Deadline + Notice < time.GetUtcNow();

    /// <summary>Null for what is no notice; whoever put it there is told of it in the log.</summary>
    private InterruptionNotice? Read(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            var detail = root.GetProperty("detail");
            var instance = detail.GetProperty("instance-id").GetString()!;
            var at = DateTimeOffset.Parse(root.GetProperty("time").GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
            switch (root.GetProperty("detail-type").GetString())
            {
                case "EC2 Spot Instance Interruption Warning":
                    return new InterruptionNotice(instance, at + Notice, $"the cloud will {detail.GetProperty("instance-action").GetString()} the spot instance");
                case "EC2 Instance Rebalance Recommendation":
                    return new InterruptionNotice(instance, null, $"since {at.UtcDateTime:HH:mm:ss} UTC the spot instance is more likely to be taken back");
                case var other:
                    LogOther(queue, other ?? "nothing");
                    return null;
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentNullException)
        {
            LogOther(queue, e.Message);
            return null;
        }
    }

    [LoggerMessage(30, LogLevel.Warning, "A message in {Queue} is no spot notice and is removed: {What}")]
    private partial void LogOther(Uri queue, string what);
}
