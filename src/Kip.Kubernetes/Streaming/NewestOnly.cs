using System.Threading.Channels;

namespace Kip.Kubernetes.Streaming;

/// <summary>A channel that holds the newest value only.</summary>
internal static class NewestOnly
{
    public static Channel<T> Create<T>() =>
        Channel.CreateBounded<T>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
}
