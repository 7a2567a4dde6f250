using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Testing.Tests;

/// <summary>A driver without any of the optional capabilities.</summary>
internal sealed class BareDriver(ICellDriver driver) : ICellDriver
{
    public DriverDescription Description => driver.Description;

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => driver.GetCatalogAsync(cancellationToken);

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) => driver.ResolveImageAsync(reference, cancellationToken);

    public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) => driver.LaunchAsync(request, cancellationToken);

    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => driver.ListAsync(cancellationToken);

    public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) => driver.TerminateAsync(instanceIds, cancellationToken);
}
