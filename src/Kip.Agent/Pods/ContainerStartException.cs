namespace Kip.Agent.Pods;

/// <summary>A container could not be brought to run; the reason is what its status waits with.</summary>
internal sealed class ContainerStartException(string reason, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>One of <see cref="WaitingReason"/>.</summary>
    public string Reason { get; } = reason;

    /// <summary>Whether it is about the image, whose back-off is its own.</summary>
    public bool IsAboutImage => Reason is WaitingReason.ErrImagePull or WaitingReason.ErrImageNeverPull
        or WaitingReason.InvalidImageName or WaitingReason.ImageInspectError;
}

/// <summary>Why a container is not running, in the kubelet's words.</summary>
internal static class WaitingReason
{
    public const string ContainerCreating = "ContainerCreating";
    public const string PodInitializing = "PodInitializing";
    public const string ErrImagePull = "ErrImagePull";
    public const string ImagePullBackOff = "ImagePullBackOff";
    public const string ErrImageNeverPull = "ErrImageNeverPull";
    public const string InvalidImageName = "InvalidImageName";
    public const string ImageInspectError = "ImageInspectError";
    public const string CreateContainerConfigError = "CreateContainerConfigError";
    public const string CreateContainerError = "CreateContainerError";
    public const string RunContainerError = "RunContainerError";
    public const string PostStartHookError = "PostStartHookError";
    public const string CrashLoopBackOff = "CrashLoopBackOff";
}
