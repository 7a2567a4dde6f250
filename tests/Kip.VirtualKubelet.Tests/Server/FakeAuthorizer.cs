using System.Collections.Concurrent;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Server;

namespace Kip.VirtualKubelet.Tests;

/// <summary>Allows what a test allows, and remembers what was asked.</summary>
internal sealed class FakeAuthorizer : IKubeletAuthorizer
{
    public Func<string, string, string, bool> Allow { get; set; } = static (_, _, _) => true;

    public ConcurrentQueue<string> Asked { get; } = [];

    public Task<bool> IsAllowedAsync(UserInfo user, string verb, string subresource, CancellationToken cancellationToken)
    {
        Asked.Enqueue($"{verb} {subresource}");
        return Task.FromResult(Allow(user.Username!, verb, subresource));
    }
}
