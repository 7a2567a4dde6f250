using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class RunInstancesRequest : AmazonEC2Request
{
    public override string Action => "RunInstances";

    public string? ClientToken { get; set; }

    public string? ImageId { get; set; }

    public string? InstanceType { get; set; }

    public int? MinCount { get; set; }

    public int? MaxCount { get; set; }

    /// <summary>In base64.</summary>
    public string? UserData { get; set; }

    public string? InstanceInitiatedShutdownBehavior { get; set; }

    public List<BlockDeviceMapping>? BlockDeviceMappings { get; set; }

    public List<InstanceNetworkInterfaceSpecification>? NetworkInterfaces { get; set; }

    public List<TagSpecification>? TagSpecifications { get; set; }

    public InstanceMetadataOptionsRequest? MetadataOptions { get; set; }

    public InstanceMarketOptionsRequest? InstanceMarketOptions { get; set; }

    public IamInstanceProfileSpecification? IamInstanceProfile { get; set; }

    public CreditSpecificationRequest? CreditSpecification { get; set; }

    public Placement? Placement { get; set; }

    public CapacityReservationSpecification? CapacityReservationSpecification { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("ClientToken", ClientToken);
        parameters.Add("ImageId", ImageId);
        parameters.Add("InstanceType", InstanceType);
        parameters.Add("MinCount", MinCount);
        parameters.Add("MaxCount", MaxCount);
        parameters.Add("UserData", UserData);
        parameters.Add("InstanceInitiatedShutdownBehavior", InstanceInitiatedShutdownBehavior);
        parameters.Add("BlockDeviceMapping", BlockDeviceMappings);
        parameters.Add("NetworkInterface", NetworkInterfaces);
        parameters.Add("TagSpecification", TagSpecifications);
        parameters.Add("MetadataOptions", MetadataOptions);
        parameters.Add("InstanceMarketOptions", InstanceMarketOptions);
        parameters.Add("IamInstanceProfile", IamInstanceProfile);
        parameters.Add("CreditSpecification", CreditSpecification);
        parameters.Add("Placement", Placement);
        parameters.Add("CapacityReservationSpecification", CapacityReservationSpecification);
    }
}

internal sealed class RunInstancesResponse : AmazonWebServiceResponse, IQueryResponse<RunInstancesResponse>
{
    public Reservation Reservation { get; init; } = new();

    public static RunInstancesResponse Read(XElement root) => new() { Reservation = Reservation.Read(root) };
}

internal sealed class BlockDeviceMapping : IQueryStructure
{
    public string? DeviceName { get; set; }

    public EbsBlockDevice? Ebs { get; set; }

    public static BlockDeviceMapping Read(XElement element) => new()
    {
        DeviceName = element.Text("deviceName"),
        Ebs = element.Structure("ebs", EbsBlockDevice.Read),
    };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("DeviceName", DeviceName);
        parameters.Add("Ebs", Ebs);
    }
}

internal sealed class EbsBlockDevice : IQueryStructure
{
    /// <summary>GiB.</summary>
    public int? VolumeSize { get; set; }

    public string? VolumeType { get; set; }

    public bool? Encrypted { get; set; }

    public string? KmsKeyId { get; set; }

    public bool? DeleteOnTermination { get; set; }

    public static EbsBlockDevice Read(XElement element) => new()
    {
        VolumeSize = element.Int32("volumeSize"),
        VolumeType = element.Text("volumeType"),
        Encrypted = element.Boolean("encrypted"),
        KmsKeyId = element.Text("kmsKeyId"),
        DeleteOnTermination = element.Boolean("deleteOnTermination"),
    };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("VolumeSize", VolumeSize);
        parameters.Add("VolumeType", VolumeType);
        parameters.Add("Encrypted", Encrypted);
        parameters.Add("KmsKeyId", KmsKeyId);
        parameters.Add("DeleteOnTermination", DeleteOnTermination);
    }
}

internal sealed class InstanceNetworkInterfaceSpecification : IQueryStructure
{
    public int? DeviceIndex { get; set; }

    public string? SubnetId { get; set; }

    public List<string>? Groups { get; set; }

    public bool? AssociatePublicIpAddress { get; set; }

    public int? SecondaryPrivateIpAddressCount { get; set; }

    public bool? DeleteOnTermination { get; set; }

    public void Write(QueryParameters parameters)
    {
        parameters.Add("DeviceIndex", DeviceIndex);
        parameters.Add("SubnetId", SubnetId);
        parameters.Add("SecurityGroupId", Groups);
        parameters.Add("AssociatePublicIpAddress", AssociatePublicIpAddress);
        parameters.Add("SecondaryPrivateIpAddressCount", SecondaryPrivateIpAddressCount);
        parameters.Add("DeleteOnTermination", DeleteOnTermination);
    }
}

internal sealed class InstanceMetadataOptionsRequest : IQueryStructure
{
    public string? HttpEndpoint { get; set; }

    public string? HttpTokens { get; set; }

    public int? HttpPutResponseHopLimit { get; set; }

    public void Write(QueryParameters parameters)
    {
        parameters.Add("HttpEndpoint", HttpEndpoint);
        parameters.Add("HttpTokens", HttpTokens);
        parameters.Add("HttpPutResponseHopLimit", HttpPutResponseHopLimit);
    }
}

internal sealed class InstanceMarketOptionsRequest : IQueryStructure
{
    public string? MarketType { get; set; }

    public SpotMarketOptions? SpotOptions { get; set; }

    public void Write(QueryParameters parameters)
    {
        parameters.Add("MarketType", MarketType);
        parameters.Add("SpotOptions", SpotOptions);
    }
}

internal sealed class SpotMarketOptions : IQueryStructure
{
    public string? SpotInstanceType { get; set; }

    public string? InstanceInterruptionBehavior { get; set; }

    public void Write(QueryParameters parameters)
    {
        parameters.Add("SpotInstanceType", SpotInstanceType);
        parameters.Add("InstanceInterruptionBehavior", InstanceInterruptionBehavior);
    }
}

internal sealed class CreditSpecificationRequest : IQueryStructure
{
    public string? CpuCredits { get; set; }

    public void Write(QueryParameters parameters) => parameters.Add("CpuCredits", CpuCredits);
}

internal sealed class IamInstanceProfileSpecification : IQueryStructure
{
    public string? Arn { get; set; }

    public string? Name { get; set; }

    public void Write(QueryParameters parameters)
    {
        parameters.Add("Arn", Arn);
        parameters.Add("Name", Name);
    }
}

internal sealed class CapacityReservationSpecification : IQueryStructure
{
    public CapacityReservationTarget? CapacityReservationTarget { get; set; }

    public void Write(QueryParameters parameters) => parameters.Add("CapacityReservationTarget", CapacityReservationTarget);
}

internal sealed class CapacityReservationTarget : IQueryStructure
{
    public string? CapacityReservationId { get; set; }

    public string? CapacityReservationResourceGroupArn { get; set; }

    public void Write(QueryParameters parameters)
    {
        parameters.Add("CapacityReservationId", CapacityReservationId);
        parameters.Add("CapacityReservationResourceGroupArn", CapacityReservationResourceGroupArn);
    }
}
