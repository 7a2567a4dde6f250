using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Server;

/// <summary>Finds out whether a caller may do what it asks for.</summary>
public interface IKubeletAuthorizer
{
    /// <summary>Whether the user may use the verb on a subresource of this node.</summary>
    /// <param name="user">Who asks.</param>
    /// <param name="verb">Such as <c>get</c>.</param>
    /// <param name="subresource">Such as <c>proxy</c>.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="Kip.Kubernetes.Client.KubernetesApiException">It cannot be found out.</exception>
    Task<bool> IsAllowedAsync(UserInfo user, string verb, string subresource, CancellationToken cancellationToken);
}
