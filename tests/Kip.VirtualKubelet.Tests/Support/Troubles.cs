using System.Net;
using Kip.Kubernetes.Client;

namespace Kip.VirtualKubelet.Tests.Support;

/// <summary>An API server in trouble: slow, overloaded, failing before or after the effect of a call, forgetful; as chance has it, while it is on.</summary>
internal sealed class Troubles(int seed) : ICallInterceptor
{
    private readonly Random _random = new(seed);
    private readonly Lock _lock = new();

    public bool IsOn { get; set; } = true;

    /// <summary>Calls that failed.</summary>
    public int Failures { get; private set; }

    public async Task<TResult> RunAsync<TResult>(string what, bool isStep, Func<Task<TResult>> call)
    {
        var (fate, delay) = Draw();
        await Task.Delay(delay, TimeProvider.System, CancellationToken.None);
        switch (fate)
        {
            case < 10:
                throw Failure(what, HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(1));
            case < 20:
                throw Failure(what, HttpStatusCode.InternalServerError);
            case < 25:
                throw new KubernetesApiException($"{what}: the connection was cut", inner: null);
            case < 35:
                await call(); // the answer is lost
                throw Failure(what, HttpStatusCode.InternalServerError);
            case < 45 when what.StartsWith("Watch", StringComparison.Ordinal):
                throw Failure(what, HttpStatusCode.Gone);
            default:
                return await call();
        }
    }

    private (int Fate, TimeSpan Delay) Draw()
    {
        lock (_lock)
        {
            return IsOn ? (_random.Next(100), TimeSpan.FromMilliseconds(_random.Next(300))) : (100, TimeSpan.Zero);
        }
    }

    private KubernetesApiException Failure(string what, HttpStatusCode code, TimeSpan? retryAfter = null)
    {
        lock (_lock)
        {
            Failures++;
        }

        return new KubernetesApiException($"{what}: {code}", code, status: null, retryAfter);
    }
}
