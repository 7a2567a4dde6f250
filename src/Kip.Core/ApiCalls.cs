using System.Text.Json;
using Kip.Kubernetes.Client;

namespace Kip;

/// <summary>Calls of an API server that have to be made, however long it is away.</summary>
internal static class ApiCalls
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>Repeats what fails for the moment only, until it succeeds, is refused for good or is cancelled.</summary>
    /// <param name="call">It may have taken effect when it failed, so that it must look what there is before it gives up.</param>
    /// <param name="time">Measures pauses.</param>
    /// <param name="onTrouble">Told of each failure.</param>
    /// <param name="cancellationToken">Ends the repetitions; <paramref name="call"/> has to obey it too.</param>
    /// <exception cref="KubernetesApiException">The call was refused.</exception>
    public static async Task<T> PersistAsync<T>(Func<Task<T>> call, TimeProvider time, Action<string> onTrouble, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        while (true)
        {
            TimeSpan? asked;
            try
            {
                return await call().ConfigureAwait(false);
            }
            catch (KubernetesApiException e) when (e.IsTransient && e.InnerException is not JsonException)
            {
                onTrouble(e.Message);
                asked = e.RetryAfter;
            }

            // Spread out, so that those who wait do not come back together.
            await Task.Delay((asked > pause ? asked.Value : pause) * (0.75 + (Random.Shared.NextDouble() / 2)), time, cancellationToken).ConfigureAwait(false);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }
}
