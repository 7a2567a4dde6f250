using Kip.Agents.Protocol;
using Kip.Kubernetes.Objects;

namespace Kip.Agents;

/// <summary>Persistent volumes as messages to agents.</summary>
internal static class PersistentVolumeWire
{
    /// <summary>The file system that the volume's source names; empty where it leaves that open.</summary>
    public static string FsTypeOf(PersistentVolumeSpec spec) =>
        spec.Csi?.FsType ?? spec.Local?.FsType ?? spec.AwsElasticBlockStore?.FsType ?? spec.GcePersistentDisk?.FsType ?? spec.AzureDisk?.FsType ?? "";

    public static PersistentVolumeMount ToMessage(PodPersistentVolume volume)
    {
        var spec = volume.Volume.Spec;
        var message = new PersistentVolumeMount
        {
            Name = volume.Name, FsType = FsTypeOf(spec), ReadOnly = volume.ReadOnly, Block = spec.VolumeMode == "Block",
        };
        message.MountOptions.AddRange(spec.MountOptions ?? []);
        if (spec.Nfs is { } nfs)
        {
            message.Nfs = new NfsExport { Server = nfs.Server, Path = nfs.Path };
        }
        else
        {
            message.Device = new DeviceLocation { Serial = volume.Device?.Serial ?? "" };
            message.Device.Paths.AddRange(volume.Device?.Paths ?? []);
        }

        return message;
    }
}
