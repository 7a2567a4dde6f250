namespace Kip.Kubernetes.Streaming;

/// <summary>Which streams an exec or attach has. With a terminal there is no error output: it comes with the output.</summary>
/// <param name="Input">stdin</param>
/// <param name="Output">stdout</param>
/// <param name="ErrorOutput">stderr</param>
/// <param name="Tty">a terminal, which can be resized</param>
public sealed record RemoteCommandStreams(bool Input, bool Output, bool ErrorOutput, bool Tty)
{
    /// <summary>False when there is nothing to stream.</summary>
    public bool IsAny => Input || Output || ErrorOutput;
}
