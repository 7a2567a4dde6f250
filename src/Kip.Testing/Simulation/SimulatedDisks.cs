using System.Globalization;
using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Testing;

/// <summary>A volume of the simulated cloud as the cloud itself knows it, at one moment.</summary>
/// <param name="Id">Its identifier.</param>
/// <param name="Zone">The zone it is in.</param>
/// <param name="AttachedTo">The live instance that has it; null when none has.</param>
public sealed record SimulatedVolume(string Id, string Zone, string? AttachedTo);

/// <summary>The volumes of a simulated cloud. Each is attached to one instance at a time, and free when that has ended.</summary>
internal sealed class SimulatedDisks(SimulatedCloud cloud)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Disk> _disks = new(StringComparer.Ordinal);

    public IReadOnlyList<SimulatedVolume> All
    {
        get
        {
            lock (_gate)
            {
                return [.. _disks.Values.Select(disk => new SimulatedVolume(disk.Id, disk.Zone, disk.Holder?.Id))];
            }
        }
    }

    public PersistentVolume Add(string zone, string? id)
    {
        lock (_gate)
        {
            id ??= string.Create(CultureInfo.InvariantCulture, $"vol-{_disks.Count + 1:x8}");
            _disks.Add(id, new Disk(id, zone));
        }

        return new PersistentVolume
        {
            Metadata = new ObjectMeta { Name = $"pv-{id}" },
            Spec = new PersistentVolumeSpec
            {
                AccessModes = ["ReadWriteOnce"],
                Csi = new CsiPersistentVolumeSource { Driver = SimulatedCloud.VolumeDriver, VolumeHandle = id, FsType = "ext4" },
                NodeAffinity = new VolumeNodeAffinity
                {
                    Required = new NodeSelector
                    {
                        NodeSelectorTerms =
                        [
                            new NodeSelectorTerm
                            {
                                MatchExpressions = [new NodeSelectorRequirement { Key = "topology.kubernetes.io/zone", Operator = "In", Values = [zone] }],
                            },
                        ],
                    },
                },
            },
        };
    }

    public void Remove(string id)
    {
        lock (_gate)
        {
            _disks.Remove(id);
        }
    }

    public AttachedDevice Attach(string controllerId, string instanceId, string volumeId)
    {
        lock (_gate)
        {
            var disk = _disks.GetValueOrDefault(volumeId) ?? throw new DriverException(DriverErrorKind.NotFound, $"There is no volume {volumeId}.");
            if (cloud.Find(controllerId, instanceId) is not { State: < InstanceState.Terminating } machine)
            {
                throw new DriverException(DriverErrorKind.NotFound, $"There is no instance {instanceId}.");
            }

            if (machine.State != InstanceState.Running)
            {
                throw new DriverException(DriverErrorKind.Transient, $"{instanceId} does not run yet.");
            }

            if (machine.Request.Zone != disk.Zone)
            {
                throw new DriverException(
                    DriverErrorKind.InvalidConfiguration, $"Volume {volumeId} is in {disk.Zone}, and {instanceId} is in {machine.Request.Zone}.");
            }

            if (disk.Holder is { } holder && holder != machine)
            {
                throw new DriverException(DriverErrorKind.Transient, $"Volume {volumeId} is attached to {holder.Id}.");
            }

            disk.AttachTo(machine);
            return new AttachedDevice { Paths = [$"/dev/disk/by-id/sim-{volumeId}"], Serial = volumeId };
        }
    }

    public void Detach(string controllerId, string instanceId, string volumeId)
    {
        lock (_gate)
        {
            if (_disks.GetValueOrDefault(volumeId) is not { Holder: { } holder } disk || holder.Id != instanceId)
            {
                return;
            }

            if (holder.ControllerId != controllerId)
            {
                cloud.AddViolation($"Controller {controllerId} asked to detach {volumeId} from {holder.Id}, which is not its own.");
                return;
            }

            if (holder.Agent.IsPodAlive)
            {
                cloud.AddViolation($"Volume {volumeId} was detached from {holder.Id} while pod {holder.Agent.PodUid} was using it.");
            }

            disk.AttachTo(null);
        }
    }

    /// <summary>Guarded by the gate.</summary>
    private sealed class Disk(string id, string zone)
    {
        private Machine? _holder;

        public string Id => id;

        public string Zone => zone;

        public Machine? Holder => _holder is { State: not InstanceState.Terminated } ? _holder : null;

        public void AttachTo(Machine? machine) => _holder = machine;
    }
}
