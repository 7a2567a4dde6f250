namespace Kip.Kubernetes.Configuration;

/// <summary>A configuration cannot be used, or does not give credentials; the message names the file and the field.</summary>
public sealed class KubernetesConfigurationException : Exception
{
    /// <summary>A configuration cannot be used.</summary>
    public KubernetesConfigurationException(string message)
        : base(message)
    {
    }

    /// <summary>A configuration cannot be used, for a reason found elsewhere.</summary>
    public KubernetesConfigurationException(string message, Exception? inner)
        : base(message, inner)
    {
    }
}
