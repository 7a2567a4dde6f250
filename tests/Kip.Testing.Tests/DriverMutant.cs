using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Testing.Tests;

/// <summary>A correct driver in which single operations are replaced by wrong ones.</summary>
internal sealed class DriverMutant(ICellDriver driver) : ICellDriver
{
    public ICellDriver Correct => driver;

    public Func<DriverDescription>? Describe { get; init; }

    public Func<CancellationToken, Task<InstanceCatalog>>? Catalog { get; init; }

    public Func<string, CancellationToken, Task<string>>? ResolveImage { get; init; }

    public Func<LaunchRequest, CancellationToken, Task<Instance>>? Launch { get; init; }

    public Func<CancellationToken, Task<IReadOnlyList<Instance>>>? List { get; init; }

    public Func<IReadOnlyCollection<string>, CancellationToken, Task>? Terminate { get; init; }

    public DriverDescription Description => Describe?.Invoke() ?? driver.Description;

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) =>
        (Catalog ?? driver.GetCatalogAsync)(cancellationToken);

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) =>
        (ResolveImage ?? driver.ResolveImageAsync)(reference, cancellationToken);

    public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken) =>
        (Launch ?? driver.LaunchAsync)(request, cancellationToken);

    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => (List ?? driver.ListAsync)(cancellationToken);

    public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken) =>
        (Terminate ?? driver.TerminateAsync)(instanceIds, cancellationToken);
}
