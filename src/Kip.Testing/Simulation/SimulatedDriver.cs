using Kip.Drivers;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Testing;

/// <summary>One process's way to a <see cref="SimulatedCloud"/>. Holds no state of its own.</summary>
internal sealed class SimulatedDriver(SimulatedCloud cloud, string controllerId) : ICellDriver, IVolumeAttacher, ICellRouter, IInterruptionSource
{
    public DriverDescription Description { get; } = new("simulated", cloud.Options.Region, controllerId)
    {
        ListInterval = cloud.Options.ListInterval,
        Limits = cloud.Limits,
    };

    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) =>
        CallAsync(MakeCall(CloudAction.GetCatalog), () => new InstanceCatalog(cloud.Options.Region, cloud.Options.Catalog), cancellationToken);

    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) =>
        CallAsync(
            MakeCall(CloudAction.ResolveImage),
            () => reference.Length == 0 ? cloud.Options.Images[0]
                : cloud.Options.Images.Contains(reference) ? reference
                : throw new DriverException(DriverErrorKind.NotFound, $"There is no image '{reference}'."),
            cancellationToken);

    public Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return CallAsync(
            MakeCall(CloudAction.Launch) with { Request = request }, () => cloud.Launch(controllerId, request), cancellationToken);
    }

    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) =>
        CallAsync(MakeCall(CloudAction.List), () => cloud.List(controllerId), cancellationToken);

    public Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
    {
        string[] ids = [.. instanceIds];
        return CallAsync(
            MakeCall(CloudAction.Terminate) with { InstanceIds = ids },
            () =>
            {
                cloud.Terminate(controllerId, ids);
                return true;
            },
            cancellationToken);
    }

    public AttachableVolume? Identify(PersistentVolume volume)
    {
        ArgumentNullException.ThrowIfNull(volume);
        return volume.Spec.Csi is not { Driver: SimulatedCloud.VolumeDriver } csi ? null
            : csi.VolumeHandle.Length > 0 ? new AttachableVolume(csi.VolumeHandle)
            : throw new DriverException(DriverErrorKind.InvalidConfiguration, $"PersistentVolume {volume.Metadata.Name} has no volume handle.");
    }

    public Task<AttachedDevice> AttachAsync(string instanceId, AttachableVolume volume, bool readOnly, CancellationToken cancellationToken) => CallAsync(
        MakeCall(CloudAction.Attach) with { InstanceIds = [instanceId], VolumeId = volume.Id },
        () => cloud.Disks.Attach(controllerId, instanceId, volume.Id),
        cancellationToken);

    public Task DetachAsync(string instanceId, AttachableVolume volume, CancellationToken cancellationToken) => CallAsync(
        MakeCall(CloudAction.Detach) with { InstanceIds = [instanceId], VolumeId = volume.Id },
        () =>
        {
            cloud.Disks.Detach(controllerId, instanceId, volume.Id);
            return true;
        },
        cancellationToken);

    public Task RouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken) => CallAsync(
        MakeCall(CloudAction.Route) with { InstanceIds = [instanceId] },
        () =>
        {
            cloud.RouteTable.Add(controllerId, instanceId, ranges);
            return true;
        },
        cancellationToken);

    public Task UnrouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken) => CallAsync(
        MakeCall(CloudAction.Unroute) with { InstanceIds = [instanceId] },
        () =>
        {
            cloud.RouteTable.Remove(instanceId, ranges);
            return true;
        },
        cancellationToken);

    public Task WatchInterruptionsAsync(Func<InterruptionNotice, CancellationToken, Task<bool>> hear, CancellationToken cancellationToken) =>
        cloud.WatchInterruptionsAsync(controllerId, hear, cancellationToken);

    private CloudCall MakeCall(CloudAction action) => new(action, controllerId, cloud.Clock.GetUtcNow(), null, []);

    private async Task<T> CallAsync<T>(CloudCall call, Func<T> effect, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var (index, fault) = cloud.BeginCall(call);
        try
        {
            // The request travels, takes effect, and the answer travels back: a caller that gives up half-way cannot know.
            await Task.Delay(cloud.Options.CallTime / 2, cloud.Clock, cancellationToken);
            if (fault is { AfterEffect: false })
            {
                await FailAsync(call.Action, fault, cancellationToken);
            }

            var result = effect();
            await Task.Delay(cloud.Options.CallTime / 2, cloud.Clock, cancellationToken);
            if (fault is not null)
            {
                await FailAsync(call.Action, fault, cancellationToken);
            }

            cloud.EndCall(call.Action, index, "ok", (result as Instance)?.Id);
            return result;
        }
        catch (DriverException failure)
        {
            cloud.EndCall(call.Action, index, failure.Kind.ToString());
            throw;
        }
        catch (OperationCanceledException)
        {
            cloud.EndCall(call.Action, index, "Canceled");
            throw;
        }
    }

    private async Task FailAsync(CloudAction action, CloudFault fault, CancellationToken cancellationToken)
    {
        if (fault.Kind is not { } kind)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cloud.Clock, cancellationToken);
            return;
        }

        throw new DriverException(kind, $"Simulated failure of {action}: {kind}.");
    }
}
