namespace Kip.Kubernetes;

/// <summary>An image name in full.</summary>
public sealed record ImageReference;
