using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Testing.Tests;

/// <summary>A correct driver in which single operations are replaced by wrong ones.</summary>
internal sealed class DriverMutant(ICellDriver driver) : ICellDriver, IVolumeAttacher, ICellRouter
{
    public ICellDriver Correct => driver;

    public Func<DriverDescription>? Describe { get; init; }

    public Func<CancellationToken, Task<InstanceCatalog>>? Catalog { get; init; }

    public Func<string, CancellationToken, Task<string>>? ResolveImage { get; init; }

    public Func<LaunchRequest, CancellationToken, Task<Instance>>? Launch { get; init; }

    public Func<CancellationToken, Task<IReadOnlyList<Instance>>>? List { get; init; }

    public Func<IReadOnlyCollection<string>, CancellationToken, Task>? Terminate { get; init; }

    public Func<PersistentVolume, AttachableVolume?>? IdentifyVolume { get; init; }

    public Func<string, AttachableVolume, CancellationToken, Task<AttachedDevice>>? Attach { get; init; }

    public Func<string, AttachableVolume, CancellationToken, Task>? Detach { get; init; }

    public Func<string, IReadOnlyList<string>, CancellationToken, Task>? Route { get; init; }

    public Func<string, IReadOnlyList<string>, CancellationToken, Task>? Unroute { get; init; }

    public ICellRouter Router => (ICellRouter)driver;

    public IVolumeAttacher Volumes => (IVolumeAttacher)driver;

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

    public AttachableVolume? Identify(PersistentVolume volume) => (IdentifyVolume ?? Volumes.Identify)(volume);

    public Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken) =>
        Attach is null ? Volumes.AttachAsync(instanceId, volume, readOnly, cancellationToken) : Attach(instanceId, volume, cancellationToken);

    public Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken) =>
        (Detach ?? Volumes.DetachAsync)(instanceId, volume, cancellationToken);

    public Task RouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken) =>
        (Route ?? Router.RouteAsync)(instanceId, ranges, cancellationToken);

    public Task UnrouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken) =>
        (Unroute ?? Router.UnrouteAsync)(instanceId, ranges, cancellationToken);
}
