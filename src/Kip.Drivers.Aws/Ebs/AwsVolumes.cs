using System.Text.RegularExpressions;
using Amazon.EC2.Model;
using Kip.Kubernetes.Objects;
using Volume = Amazon.EC2.Model.Volume;

namespace Kip.Drivers.Aws;

/// <summary>Volumes of Elastic Block Store on instances: attached, taken off, and looked at until that is so.</summary>
internal sealed partial class AwsVolumes(AwsCalls calls, TimeProvider time)
{
    private const string CsiDriver = "ebs.csi.aws.com";
    private const int MaxRefusals = 3;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    // Names that EC2 takes for more disks of a Linux instance, and images use for none of theirs: /dev/xvdba to /dev/xvddz. An instance without
    // Xen's disks calls them otherwise, but wants them told apart.
    private static readonly string[] Names = [.. from first in "bcd" from second in "abcdefghijklmnopqrstuvwxyz" select $"/dev/xvd{first}{second}"];

    /// <summary>The volume of EBS that a persistent volume is; null when it is none.</summary>
    /// <exception cref="DriverException">It should be, but its name cannot be one.</exception>
    public static AttachableVolume? Identify(PersistentVolume volume) => volume.Spec switch
    {
        { Csi: { Driver: CsiDriver } csi } => Read(csi.VolumeHandle, null, "spec.csi.volumeHandle"),
        { AwsElasticBlockStore: { } inTree } => ReadInTree(inTree.VolumeID),
        _ => null,
    };

    /// <summary>Returns when the volume is attached.</summary>
    /// <exception cref="DriverException">It cannot be, or not yet.</exception>
    public async Task<AttachedDevice> AttachAsync(string instanceId, string volumeId, CancellationToken cancellationToken)
    {
        var purpose = $"attach {volumeId} to {instanceId}";
        var refusals = 0;
        while (true)
        {
            var volume = await FindAsync(volumeId, cancellationToken).ConfigureAwait(false)
                ?? throw new DriverException(DriverErrorKind.NotFound, $"cannot {purpose}: there is no such volume in this account and region");
            switch (StateOn(volume, instanceId))
            {
                case "attached":
                    return Describe(volumeId, volume.Attachments?.Find(attachment => attachment.InstanceId == instanceId)?.Device);
                case null when volume.State != "creating":
                    CheckFree(volume, purpose);
                    try
                    {
                        await AttachNowAsync(instanceId, volumeId, purpose, cancellationToken).ConfigureAwait(false);
                        continue;
                    }
                    catch (DriverException error) when (AwsErrors.CodeOf(error) is AwsErrors.VolumeInUse or AwsErrors.InvalidParameterValue && refusals < MaxRefusals)
                    {
                        // Somebody was faster, with the volume or with the device's name: what is so now says where to go on.
                        refusals++;
                    }

                    break;
            }

            await Task.Delay(PollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Returns when the volume is not on that instance.</summary>
    /// <exception cref="DriverException">It is, or nobody knows.</exception>
    public async Task DetachAsync(string instanceId, string volumeId, CancellationToken cancellationToken)
    {
        var asked = false;
        while (await FindAsync(volumeId, cancellationToken).ConfigureAwait(false) is { } volume && StateOn(volume, instanceId) is { } state)
        {
            if (!asked && state is "attached" or "attaching")
            {
                await DetachNowAsync(instanceId, volumeId, cancellationToken).ConfigureAwait(false);
                asked = true;
                continue;
            }

            await Task.Delay(PollInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static AttachableVolume ReadInTree(string name)
    {
        var parts = InTree().Match(name);
        return Read(parts.Groups["id"].Value, parts.Groups["zone"].Value is { Length: > 0 } zone ? zone : null, "spec.awsElasticBlockStore.volumeID", name);
    }

    private static AttachableVolume Read(string id, string? zone, string field, string? written = null) => VolumeId().IsMatch(id)
        ? new AttachableVolume(id, zone)
        : throw new DriverException(DriverErrorKind.InvalidConfiguration, $"{field}: \"{written ?? id}\" is not the id of a volume: they look like vol-0123456789abcdef0");

    /// <summary>The state of the volume's attachment to an instance, or null when there is none.</summary>
    private static string? StateOn(Volume volume, string instanceId) =>
        volume.Attachments?.Find(attachment => attachment.InstanceId == instanceId)?.State?.Value is { } state and not "detached" ? state : null;

    private static void CheckFree(Volume volume, string purpose)
    {
        if (volume.State?.Value is "deleting" or "deleted")
        {
            throw new DriverException(DriverErrorKind.NotFound, $"cannot {purpose}: the volume is being deleted");
        }

        if (volume.MultiAttachEnabled != true && volume.Attachments?.Find(static attachment => attachment.State != "detached") is { } other)
        {
            throw new DriverException(DriverErrorKind.Transient, $"cannot {purpose}: it is {other.State} at {other.InstanceId}, and a volume of its type can be at one instance only");
        }
    }

    private static AttachedDevice Describe(string volumeId, string? device)
    {
        // On instances of the Nitro system a volume is an NVMe disk, whose serial number is its id without the dash ("Amazon EBS and NVMe" in AWS's
        // documentation); older ones have it under the name that it was attached by.
        var serial = volumeId.Replace("-", "", StringComparison.Ordinal);
        return new AttachedDevice
        {
            Serial = serial,
            Paths = [$"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{serial}", .. device is null ? (string[])[] : [device]],
        };
    }

    private async Task<Volume?> FindAsync(string volumeId, CancellationToken cancellationToken)
    {
        try
        {
            var found = await AwsCalls.PageAsync(
                "ec2:DescribeVolumes",
                $"look at {volumeId}",
                calls.Ec2.Paginators.DescribeVolumes(new DescribeVolumesRequest { VolumeIds = [volumeId] }).Responses,
                static response => response.Volumes,
                cancellationToken).ConfigureAwait(false);
            return found.Find(volume => volume.VolumeId == volumeId);
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) == AwsErrors.VolumeNotFound)
        {
            return null;
        }
    }

    private async Task AttachNowAsync(string instanceId, string volumeId, string purpose, CancellationToken cancellationToken)
    {
        var attached = await AwsCalls.PageAsync(
            "ec2:DescribeVolumes",
            $"look at the volumes of {instanceId}",
            calls.Ec2.Paginators.DescribeVolumes(new DescribeVolumesRequest { Filters = [Ec2Filter.On("attachment.instance-id", instanceId)] }).Responses,
            static response => response.Volumes,
            cancellationToken).ConfigureAwait(false);
        var taken = attached.SelectMany(static volume => volume.Attachments ?? []).Where(attachment => attachment.InstanceId == instanceId).Select(static attachment => attachment.Device);
        // Each volume begins elsewhere, so that two that are attached at the same time seldom take the same name.
        var first = (int)(Convert.ToUInt64(volumeId[^4..], 16) % (ulong)Names.Length);
        var request = new AttachVolumeRequest
        {
            VolumeId = volumeId,
            InstanceId = instanceId,
            Device = Names[first..].Concat(Names[..first]).Except(taken).FirstOrDefault()
                ?? throw new DriverException(DriverErrorKind.Quota, $"cannot {purpose}: the instance has {Names.Length} volumes"),
        };
        await AwsCalls.CallAsync("ec2:AttachVolume", purpose, token => calls.Ec2.AttachVolumeAsync(request, token), cancellationToken).ConfigureAwait(false);
    }

    private async Task DetachNowAsync(string instanceId, string volumeId, CancellationToken cancellationToken)
    {
        try
        {
            var request = new DetachVolumeRequest { VolumeId = volumeId, InstanceId = instanceId };
            await AwsCalls.CallAsync("ec2:DetachVolume", $"take {volumeId} off {instanceId}", token => calls.Ec2.DetachVolumeAsync(request, token), cancellationToken).ConfigureAwait(false);
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) is AwsErrors.IncorrectState or AwsErrors.InstanceNotFound or AwsErrors.AttachmentNotFound or AwsErrors.VolumeNotFound)
        {
            // It goes by itself: what is so in a moment says whether it has gone.
        }
    }

    [GeneratedRegex("^vol-[0-9a-f]{8,17}$", RegexOptions.CultureInvariant)]
    private static partial Regex VolumeId();

    // As Kubernetes has it: aws://us-east-1a/vol-1, aws:///vol-1 or vol-1.
    [GeneratedRegex("^(aws://(?<zone>[^/]*)/)?(?<id>[^/]*)$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex InTree();
}
