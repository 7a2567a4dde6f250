using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class DescribeSecurityGroupsRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeSecurityGroups";
}

internal sealed class DescribeSecurityGroupsResponse : AmazonWebServiceResponse, IQueryResponse<DescribeSecurityGroupsResponse>
{
    public List<SecurityGroup> SecurityGroups { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeSecurityGroupsResponse Read(XElement root) => new()
    {
        SecurityGroups = root.List("securityGroupInfo", SecurityGroup.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class SecurityGroup
{
    public string? GroupId { get; init; }

    public string? GroupName { get; init; }

    public List<IpPermission> IpPermissions { get; init; } = [];

    public List<Tag> Tags { get; init; } = [];

    public static SecurityGroup Read(XElement element) => new()
    {
        GroupId = element.Text("groupId"),
        GroupName = element.Text("groupName"),
        IpPermissions = element.List("ipPermissions", IpPermission.Read),
        Tags = element.List("tagSet", Tag.Read),
    };
}

/// <summary>One protocol and range of ports, open to any number of sources.</summary>
internal sealed class IpPermission : IQueryStructure
{
    /// <summary><c>tcp</c>, <c>udp</c>, <c>icmp</c>, a number, or <c>-1</c> for all.</summary>
    public string? IpProtocol { get; init; }

    public int? FromPort { get; init; }

    public int? ToPort { get; init; }

    public List<IpRange> IpRanges { get; init; } = [];

    public List<Ipv6Range> Ipv6Ranges { get; init; } = [];

    public List<PrefixListId> PrefixListIds { get; init; } = [];

    public List<UserIdGroupPair> UserIdGroupPairs { get; init; } = [];

    public static IpPermission Read(XElement element) => new()
    {
        IpProtocol = element.Text("ipProtocol"),
        FromPort = element.Int32("fromPort"),
        ToPort = element.Int32("toPort"),
        IpRanges = element.List("ipRanges", IpRange.Read),
        Ipv6Ranges = element.List("ipv6Ranges", Ipv6Range.Read),
        PrefixListIds = element.List("prefixListIds", PrefixListId.Read),
        UserIdGroupPairs = element.List("groups", UserIdGroupPair.Read),
    };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("IpProtocol", IpProtocol);
        parameters.Add("FromPort", FromPort);
        parameters.Add("ToPort", ToPort);
        parameters.Add("IpRanges", IpRanges);
        parameters.Add("Ipv6Ranges", Ipv6Ranges);
        parameters.Add("PrefixListIds", PrefixListIds);
        parameters.Add("Groups", UserIdGroupPairs);
    }
}

internal sealed class IpRange : IQueryStructure
{
    public string? CidrIp { get; init; }

    public string? Description { get; init; }

    public static IpRange Read(XElement element) => new() { CidrIp = element.Text("cidrIp"), Description = element.Text("description") };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("CidrIp", CidrIp);
        parameters.Add("Description", Description);
    }
}

internal sealed class Ipv6Range : IQueryStructure
{
    public string? CidrIpv6 { get; init; }

    public string? Description { get; init; }

    public static Ipv6Range Read(XElement element) => new() { CidrIpv6 = element.Text("cidrIpv6"), Description = element.Text("description") };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("CidrIpv6", CidrIpv6);
        parameters.Add("Description", Description);
    }
}

internal sealed class PrefixListId : IQueryStructure
{
    public string? Id { get; init; }

    public static PrefixListId Read(XElement element) => new() { Id = element.Text("prefixListId") };

    public void Write(QueryParameters parameters) => parameters.Add("PrefixListId", Id);
}

internal sealed class UserIdGroupPair : IQueryStructure
{
    public string? GroupId { get; init; }

    public string? UserId { get; init; }

    public static UserIdGroupPair Read(XElement element) => new() { GroupId = element.Text("groupId"), UserId = element.Text("userId") };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("GroupId", GroupId);
        parameters.Add("UserId", UserId);
    }
}

internal sealed class CreateSecurityGroupRequest : AmazonEC2Request
{
    public override string Action => "CreateSecurityGroup";

    public required string GroupName { get; init; }

    public required string Description { get; init; }

    public string? VpcId { get; set; }

    public List<TagSpecification>? TagSpecifications { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("GroupName", GroupName);
        parameters.Add("GroupDescription", Description);
        parameters.Add("VpcId", VpcId);
        parameters.Add("TagSpecification", TagSpecifications);
    }
}

internal sealed class CreateSecurityGroupResponse : AmazonWebServiceResponse, IQueryResponse<CreateSecurityGroupResponse>
{
    public string? GroupId { get; init; }

    public static CreateSecurityGroupResponse Read(XElement root) => new() { GroupId = root.Text("groupId") };
}

internal sealed class AuthorizeSecurityGroupIngressRequest : AmazonEC2Request
{
    public override string Action => "AuthorizeSecurityGroupIngress";

    public string? GroupId { get; set; }

    public List<IpPermission>? IpPermissions { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("GroupId", GroupId);
        parameters.Add("IpPermissions", IpPermissions);
    }
}

internal sealed class AuthorizeSecurityGroupIngressResponse : AmazonWebServiceResponse, IQueryResponse<AuthorizeSecurityGroupIngressResponse>
{
    public static AuthorizeSecurityGroupIngressResponse Read(XElement root) => new();
}

internal sealed class RevokeSecurityGroupIngressRequest : AmazonEC2Request
{
    public override string Action => "RevokeSecurityGroupIngress";

    public string? GroupId { get; set; }

    public List<IpPermission>? IpPermissions { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("GroupId", GroupId);
        parameters.Add("IpPermissions", IpPermissions);
    }
}

internal sealed class RevokeSecurityGroupIngressResponse : AmazonWebServiceResponse, IQueryResponse<RevokeSecurityGroupIngressResponse>
{
    public static RevokeSecurityGroupIngressResponse Read(XElement root) => new();
}
