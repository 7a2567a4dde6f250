using Kip.Grpc;

namespace Kip.Agent.Runtime;

/// <summary>Tells the controller of the runtime's errors, without their looking like the agent's own.</summary>
internal static class RuntimeErrors
{
    /// <summary>Waits for the runtime; that it cannot be reached becomes Internal, for the agent can.</summary>
    public static async Task<T> Explained<T>(this Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Aborted)
        {
            throw new RpcException(StatusCode.Internal, $"the container runtime does not answer: {e.Status.Detail}", inner: e);
        }
    }
}
