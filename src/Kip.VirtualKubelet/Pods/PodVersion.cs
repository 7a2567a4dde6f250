using System.Buffers.Binary;
using System.Security.Cryptography;
using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

/// <summary>
/// Stands for all of a pod that its cell has to know: spec, labels and annotations. A resource version would not do: each status that
/// is told makes a new one.
/// </summary>
internal readonly record struct PodVersion(UInt128 Hash)
{
    public static PodVersion Of(Pod pod)
    {
        var seen = new Pod
        {
            Metadata = new ObjectMeta { Labels = pod.Metadata.Labels, Annotations = pod.Metadata.Annotations },
            Spec = pod.Spec,
        };
        return new PodVersion(BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(KubernetesJson.SerializeToUtf8(seen))));
    }
}
