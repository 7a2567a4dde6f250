using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class DescribeVolumesRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeVolumes";

    public List<string>? VolumeIds { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        base.WriteMembers(parameters);
        parameters.Add("VolumeId", VolumeIds);
    }
}

internal sealed class DescribeVolumesResponse : AmazonWebServiceResponse, IQueryResponse<DescribeVolumesResponse>
{
    public List<Volume> Volumes { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeVolumesResponse Read(XElement root) => new()
    {
        Volumes = root.List("volumeSet", Volume.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class Volume
{
    public string? VolumeId { get; init; }

    /// <summary><c>creating</c>, <c>available</c>, <c>in-use</c>, <c>deleting</c>, <c>deleted</c> or <c>error</c>.</summary>
    public string? State { get; init; }

    public string? AvailabilityZone { get; init; }

    public bool? MultiAttachEnabled { get; init; }

    public List<VolumeAttachment> Attachments { get; init; } = [];

    public static Volume Read(XElement element) => new()
    {
        VolumeId = element.Text("volumeId"),
        State = element.Text("status"),
        AvailabilityZone = element.Text("availabilityZone"),
        MultiAttachEnabled = element.Boolean("multiAttachEnabled"),
        Attachments = element.List("attachmentSet", VolumeAttachment.Read),
    };
}

internal sealed class VolumeAttachment
{
    public string? InstanceId { get; init; }

    public string? Device { get; init; }

    /// <summary><c>attaching</c>, <c>attached</c>, <c>detaching</c>, <c>detached</c> or, when it is to go but still mounted, <c>busy</c>.</summary>
    public string? State { get; init; }

    public static VolumeAttachment Read(XElement element) => new()
    {
        InstanceId = element.Text("instanceId"),
        Device = element.Text("device"),
        State = element.Text("status"),
    };
}

internal sealed class AttachVolumeRequest : AmazonEC2Request
{
    public override string Action => "AttachVolume";

    public required string VolumeId { get; init; }

    public required string InstanceId { get; init; }

    public required string Device { get; init; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("VolumeId", VolumeId);
        parameters.Add("InstanceId", InstanceId);
        parameters.Add("Device", Device);
    }
}

/// <summary>What it says is said by the next description too.</summary>
internal sealed class AttachVolumeResponse : AmazonWebServiceResponse, IQueryResponse<AttachVolumeResponse>
{
    public static AttachVolumeResponse Read(XElement root) => new();
}

internal sealed class DetachVolumeRequest : AmazonEC2Request
{
    public override string Action => "DetachVolume";

    public required string VolumeId { get; init; }

    public required string InstanceId { get; init; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("VolumeId", VolumeId);
        parameters.Add("InstanceId", InstanceId);
    }
}

/// <summary>What it says is said by the next description too.</summary>
internal sealed class DetachVolumeResponse : AmazonWebServiceResponse, IQueryResponse<DetachVolumeResponse>
{
    public static DetachVolumeResponse Read(XElement root) => new();
}
