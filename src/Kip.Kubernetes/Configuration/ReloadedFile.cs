namespace Kip.Kubernetes.Configuration;

/// <summary>
/// What a file, or a pair of files, says, read again at most once a minute and when it was refused. As long as the text stays the
/// same the value is the same instance.
/// </summary>
internal sealed class ReloadedFile<T>(IReadOnlyList<string> paths, Func<IReadOnlyList<string>, T> parse, TimeProvider timeProvider)
    where T : class
{
    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private string[]? _texts;
    private T? _value;
    private long _readAt;
    private bool _stale = true;

    /// <summary>The value; the last good one while the files cannot be read, since they may be about to be replaced.</summary>
    /// <exception cref="KubernetesConfigurationException">The files were never readable; the message names the path.</exception>
    public T Get()
    {
        lock (_lock)
        {
            if (_value is not null && !_stale && timeProvider.GetElapsedTime(_readAt) < Freshness)
            {
                return _value;
            }

            try
            {
                var texts = Read();
                if (_texts is null || !texts.AsSpan().SequenceEqual(_texts))
                {
                    _value = parse(texts);
                    _texts = texts;
                }
            }
            catch (KubernetesConfigurationException) when (_value is not null && !_stale)
            {
                // A pair of files is not replaced as one; the next minute sees both.
            }

            _readAt = timeProvider.GetTimestamp();
            _stale = false;
            return _value!;
        }
    }

    /// <summary>Makes the next <see cref="Get"/> read the files.</summary>
    public void Expire()
    {
        lock (_lock)
        {
            _stale = true;
        }
    }

    private string[] Read()
    {
        var texts = new string[paths.Count];
        for (var i = 0; i < texts.Length; i++)
        {
            try
            {
                texts[i] = File.ReadAllText(paths[i]);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new KubernetesConfigurationException($"{paths[i]}: {e.Message}", e);
            }
        }

        return texts;
    }
}
