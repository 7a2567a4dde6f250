using System.Globalization;
using System.Net;
using System.Text.Json;
using Kip.Agent.Status;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Interruptions;

/// <summary>
/// Asks a metadata service of EC2's kind, by sessions (version 2), every 5 seconds whether the cloud takes the machine back, and says so.
/// The paths and answers are those of the EC2 User Guide, "Spot Instance interruption notices" and "rebalance recommendations".
/// </summary>
internal sealed partial class InterruptionWatch : IDisposable
{
    private const string TokenHeader = "X-aws-ec2-metadata-token";
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(2);

    private readonly Uri? _service;
    private readonly StatusBoard _board;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, ActivityHeadersPropagator = null });
    private string? _token;
    private string? _advice;
    private string? _problem;

    /// <param name="service">The service; null when there is nobody to ask.</param>
    /// <param name="board">Told of what is learnt.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets failures, each kind once.</param>
    public InterruptionWatch(Uri? service, StatusBoard board, TimeProvider time, ILogger logger) =>
        (_service, _board, _time, _logger) = (service, board, time, logger);

    public void Dispose() => _http.Dispose();

    /// <summary>Asks until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_service is null)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken);
            return;
        }

        while (true)
        {
            try
            {
                await AskAsync(cancellationToken);
                _problem = null;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or InvalidDataException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                if (_problem != e.Message)
                {
                    _problem = e.Message;
                    LogFailed(e.Message);
                }
            }

            await Task.Delay(Interval, _time, cancellationToken);
        }
    }

    private async Task AskAsync(CancellationToken cancellationToken)
    {
        if (await GetAsync("latest/meta-data/spot/instance-action", cancellationToken) is { } action)
        {
            var what = Member(action, "action");
            _board.Interrupt(Time(action, "time"), $"the cloud will {what} the spot instance");
        }

        if (await GetAsync("latest/meta-data/events/recommendations/rebalance", cancellationToken) is { } advice && advice != _advice)
        {
            _advice = advice;
            _board.Event("Warning", "RebalanceRecommended", $"since {Time(advice, "noticeTime").UtcDateTime:HH:mm:ss} UTC the spot instance is more likely to be taken back");
        }
    }

    /// <summary>Null when there is no such thing, as long as nothing is about to happen.</summary>
    private async Task<string?> GetAsync(string path, CancellationToken cancellationToken)
    {
        for (var isRepeated = false; ; isRepeated = true)
        {
            _token ??= await SendAsync(HttpMethod.Put, "latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "21600", cancellationToken) is (HttpStatusCode.OK, { } token)
                ? token
                : throw new InvalidDataException($"{_service}: no session was given");
            var (status, text) = await SendAsync(HttpMethod.Get, path, TokenHeader, _token, cancellationToken);
            switch (status)
            {
                case HttpStatusCode.OK:
                    return text;
                case HttpStatusCode.NotFound:
                    return null;
                case HttpStatusCode.Unauthorized when !isRepeated:
                    _token = null; // the session is over
                    break;
                default:
                    throw new InvalidDataException($"{_service}{path}: answered {(int)status}");
            }
        }
    }

    private async Task<(HttpStatusCode Status, string Text)> SendAsync(HttpMethod method, string path, string header, string value, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(AnswerLimit, _time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var request = new HttpRequestMessage(method, new Uri(_service!, path));
        request.Headers.Add(header, value);
        using var response = await _http.SendAsync(request, bounded.Token);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(bounded.Token));
    }

    private static string Member(string json, string name)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new InvalidDataException($"the metadata service's answer has no {name}");
    }

    private static DateTimeOffset Time(string json, string name) =>
        DateTimeOffset.TryParse(Member(json, name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new InvalidDataException($"the metadata service's {name} is not a time");

    [LoggerMessage(120, LogLevel.Warning, "Whether the cloud takes the machine back is not known: {Problem}")]
    private partial void LogFailed(string problem);
}
