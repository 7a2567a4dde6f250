using System.Net;

namespace Kip.Kubernetes.Client;

/// <summary>Which calls are repeated, and when.</summary>
internal static class RetryPolicy
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    /// <summary>
    /// A call that was put off has had no effect; any other failure of the API server leaves that open, so that only reading is
    /// repeated.
    /// </summary>
    public static bool MayRepeat(bool isRead, KubernetesApiException failure) => failure switch
    {
        { StatusCode: HttpStatusCode.TooManyRequests } => true,
        { StatusCode: HttpStatusCode.ServiceUnavailable, RetryAfter: not null } => true,
        _ => isRead && failure.IsTransient,
    };

    /// <summary>What the API server asks for, or twice as long each time; spread out, so that callers do not come back together.</summary>
    public static TimeSpan Pause(int attempt, TimeSpan? retryAfter)
    {
        var pause = retryAfter ?? First * Math.Pow(2, attempt);
        if (retryAfter is null && pause > Longest)
        {
            pause = Longest;
        }

        return pause + (pause * 0.2 * Random.Shared.NextDouble());
    }
}
