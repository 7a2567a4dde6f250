using System.Net;
using System.Text.Json;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>Makes exceptions of what went wrong.</summary>
internal static class ApiFailure
{
    private const int MaxBody = 64 * 1024;
    private const int ShownText = 500;

    /// <summary>Whether an exception says that the connection failed or that the answer was cut.</summary>
    public static bool IsConnection(Exception e) => e is HttpRequestException or IOException;

    public static KubernetesApiException FromException(string call, Exception e) => e switch
    {
        JsonException => new($"{call}: the answer cannot be understood: {e.Message}", e),
        KubernetesConfigurationException => new($"{call}: no credentials: {e.Message}", e),
        OperationCanceledException => new($"{call}: no answer in time", e),
        _ => new($"{call}: {Innermost(e)}", e),
    };

    public static KubernetesApiException FromStatus(string call, HttpStatusCode code, ApiStatus? status, TimeSpan? retryAfter)
    {
        retryAfter ??= status?.Details?.RetryAfterSeconds is { } seconds and > 0 ? TimeSpan.FromSeconds(seconds) : null;
        var reason = status?.Reason is { Length: > 0 } word ? $" {word}" : "";
        return new($"{call}: {(int)code}{reason}: {(status?.Message is { Length: > 0 } message ? message : "the API server says no more")}", code, status, retryAfter);
    }

    /// <summary>Reads why the API server refused; proxies before it may answer with anything.</summary>
    public static async Task<KubernetesApiException> FromResponseAsync(
        string call, HttpResponseMessage response, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var body = new byte[MaxBody];
        var length = 0;
        await using (var stream = await response.Content.ReadAsStreamAsync(cancellationToken))
        {
            length = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken);
        }

        return FromStatus(call, response.StatusCode, ReadStatus(body.AsSpan(0, length)), RetryAfter(response, timeProvider));
    }

    private static ApiStatus ReadStatus(ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, KubernetesJsonContext.Default.ApiStatus) is { Kind: "Status" } status)
            {
                return status;
            }
        }
        catch (JsonException)
        {
            // Not the API server's own words; they are shown as they are.
        }

        var text = System.Text.Encoding.UTF8.GetString(body).Trim();
        return new ApiStatus { Message = text.Length > ShownText ? $"{text[..ShownText]}…" : text };
    }

    private static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider timeProvider) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date > timeProvider.GetUtcNow() => date - timeProvider.GetUtcNow(),
        { Date: not null } => TimeSpan.Zero,
        _ => null,
    };

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
        {
            e = inner;
        }

        return e.Message;
    }
}
