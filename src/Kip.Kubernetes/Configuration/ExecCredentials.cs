namespace Kip.Kubernetes.Configuration;

/// <summary>Credentials of a plugin, kept until they expire or are refused. The plugin runs once at a time.</summary>
internal sealed class ExecCredentials(ExecPlugin plugin, TimeProvider timeProvider) : IKubernetesCredentials
{
    private readonly Lock _lock = new();
    private (KubernetesCredential Credential, DateTimeOffset? Expires)? _held;
    private Task<KubernetesCredential>? _running;

    public ValueTask<KubernetesCredential> GetAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_held is var (credential, expires) && !(timeProvider.GetUtcNow() >= expires))
            {
                return new(credential);
            }

            // Callers share one run, so none of them may end it; the plugin bounds its time itself.
            _running ??= Task.Run(RunAsync, CancellationToken.None);
            return new(_running.WaitAsync(cancellationToken));
        }
    }

    public bool Refuse(KubernetesCredential credential)
    {
        lock (_lock)
        {
            if (ReferenceEquals(_held?.Credential, credential))
            {
                _held = null;
            }
        }

        return true;
    }

    private async Task<KubernetesCredential> RunAsync()
    {
        try
        {
            var answer = await plugin.RunAsync(timeProvider, CancellationToken.None);
            lock (_lock)
            {
                _held = answer;
            }

            return answer.Credential;
        }
        finally
        {
            lock (_lock)
            {
                _running = null;
            }
        }
    }
}
