using Kip.Agents;
using Kip.Kubernetes.Objects;
namespace Kip.VirtualKubelet.Pods;
internal sealed class PlainResolver : IPodResolver
{
    public event Action<ObjectKey> Changed { add { } remove { } }
    public Task<PodAssignment> ResolveAsync(Pod pod, CancellationToken cancellationToken) => Task.FromResult(new PodAssignment(pod, null, []));
    public bool IsStale(Pod pod) => false;
    public void Forget(ObjectKey pod) { }
}
