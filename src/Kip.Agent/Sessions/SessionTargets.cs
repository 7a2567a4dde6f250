using Kip.Agent.Status;
using Kip.Grpc;

namespace Kip.Agent.Sessions;

/// <summary>Finds what a session is to be with.</summary>
internal sealed class SessionTargets(StatusBoard board)
{
    /// <summary>The runtime's id of a container that runs.</summary>
    /// <exception cref="RpcException">NotFound: no such pod or container, or it does not run.</exception>
    public string Container(string podUid, string name)
    {
        var view = Pod(podUid);
        foreach (var container in view.Containers)
        {
            if (container.Name == name)
            {
                return container.RunningId ?? throw NotFound(container.Final ? $"container {name} has ended" : $"container {name} does not run");
            }
        }

        throw NotFound($"the pod has no container '{name}', only {string.Join(", ", view.Containers.Select(container => container.Name))}");
    }

    /// <summary>The runtime's id of the pod's sandbox.</summary>
    /// <exception cref="RpcException">NotFound: no such pod, or it does not run.</exception>
    public string Sandbox(string podUid) => Pod(podUid).SandboxId ?? throw NotFound("the pod does not run");

    private PodView Pod(string podUid)
    {
        var view = board.View;
        return view.PodUid == podUid ? view : throw NotFound($"the cell does not have pod {podUid}");
    }

    private static RpcException NotFound(string message) => new(StatusCode.NotFound, message);
}
