namespace Kip.Drivers;

/// <summary>
/// Optional capability of an <see cref="ICellDriver"/>: logins for the cloud's own image registries, which the core asks for when a pod's images
/// are there and nobody has named another login. Implement it on the driver's class; the core keeps what it gets.
/// </summary>
public interface IRegistryLogins
{
    /// <summary>Makes a login.</summary>
    /// <param name="registry">Host, or host:port, as it stands in image names.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The login; null when the registry is none of this cloud's, which must be said without a call, or when it needs none.</returns>
    /// <exception cref="DriverException">It cannot be had. The image is pulled without it.</exception>
    Task<RegistryLogin?> GetRegistryLoginAsync(string registry, CancellationToken cancellationToken);
}

/// <summary>A login for an image registry.</summary>
/// <param name="Username">User name.</param>
/// <param name="Password">Password or token.</param>
/// <param name="ExpiresAt">When the registry takes it no more. It is asked for anew when half of its life is over.</param>
public sealed record RegistryLogin(string Username, string Password, DateTimeOffset ExpiresAt)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Username} until {ExpiresAt:O}";
}
