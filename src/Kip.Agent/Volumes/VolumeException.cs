namespace Kip.Agent.Volumes;

/// <summary>A volume cannot be made or mounted; the message is for the pod's owner.</summary>
internal sealed class VolumeException(string message, Exception? inner = null) : Exception(message, inner);
