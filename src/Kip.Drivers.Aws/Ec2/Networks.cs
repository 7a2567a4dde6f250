using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class DescribeVpcsRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeVpcs";
}

internal sealed class DescribeVpcsResponse : AmazonWebServiceResponse, IQueryResponse<DescribeVpcsResponse>
{
    public List<Vpc> Vpcs { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeVpcsResponse Read(XElement root) => new()
    {
        Vpcs = root.List("vpcSet", Vpc.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class Vpc
{
    public string? VpcId { get; init; }

    /// <summary>The primary range.</summary>
    public string? CidrBlock { get; init; }

    /// <summary>All ranges, the primary one among them.</summary>
    public List<VpcCidrBlockAssociation> CidrBlockAssociationSet { get; init; } = [];

    public static Vpc Read(XElement element) => new()
    {
        VpcId = element.Text("vpcId"),
        CidrBlock = element.Text("cidrBlock"),
        CidrBlockAssociationSet = element.List("cidrBlockAssociationSet", VpcCidrBlockAssociation.Read),
    };
}

internal sealed class VpcCidrBlockAssociation
{
    public string? CidrBlock { get; init; }

    public VpcCidrBlockState? CidrBlockState { get; init; }

    public static VpcCidrBlockAssociation Read(XElement element) => new()
    {
        CidrBlock = element.Text("cidrBlock"),
        CidrBlockState = element.Structure("cidrBlockState", VpcCidrBlockState.Read),
    };
}

internal sealed class VpcCidrBlockState
{
    public string? State { get; init; }

    public static VpcCidrBlockState Read(XElement element) => new() { State = element.Text("state") };
}

internal sealed class DescribeSubnetsRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeSubnets";
}

internal sealed class DescribeSubnetsResponse : AmazonWebServiceResponse, IQueryResponse<DescribeSubnetsResponse>
{
    public List<Subnet> Subnets { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeSubnetsResponse Read(XElement root) => new()
    {
        Subnets = root.List("subnetSet", Subnet.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class Subnet
{
    public string? SubnetId { get; init; }

    public string? VpcId { get; init; }

    public string? State { get; init; }

    public string? AvailabilityZone { get; init; }

    public int? AvailableIpAddressCount { get; init; }

    public bool? DefaultForAz { get; init; }

    public static Subnet Read(XElement element) => new()
    {
        SubnetId = element.Text("subnetId"),
        VpcId = element.Text("vpcId"),
        State = element.Text("state"),
        AvailabilityZone = element.Text("availabilityZone"),
        AvailableIpAddressCount = element.Int32("availableIpAddressCount"),
        DefaultForAz = element.Boolean("defaultForAz"),
    };
}

internal sealed class DescribeRouteTablesRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeRouteTables";
}

internal sealed class DescribeRouteTablesResponse : AmazonWebServiceResponse, IQueryResponse<DescribeRouteTablesResponse>
{
    public List<RouteTable> RouteTables { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeRouteTablesResponse Read(XElement root) => new()
    {
        RouteTables = root.List("routeTableSet", RouteTable.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class RouteTable
{
    public string? RouteTableId { get; init; }

    public List<RouteTableAssociation> Associations { get; init; } = [];

    public List<Route> Routes { get; init; } = [];

    public static RouteTable Read(XElement element) => new()
    {
        RouteTableId = element.Text("routeTableId"),
        Associations = element.List("associationSet", RouteTableAssociation.Read),
        Routes = element.List("routeSet", Route.Read),
    };
}

internal sealed class RouteTableAssociation
{
    public bool? Main { get; init; }

    public string? SubnetId { get; init; }

    public static RouteTableAssociation Read(XElement element) => new()
    {
        Main = element.Boolean("main"),
        SubnetId = element.Text("subnetId"),
    };
}

internal sealed class Route
{
    public string? DestinationCidrBlock { get; init; }

    public string? GatewayId { get; init; }

    public string? InstanceId { get; init; }

    public string? NetworkInterfaceId { get; init; }

    /// <summary><c>active</c>, or <c>blackhole</c> when what it leads to has gone.</summary>
    public string? State { get; init; }

    public static Route Read(XElement element) => new()
    {
        DestinationCidrBlock = element.Text("destinationCidrBlock"),
        GatewayId = element.Text("gatewayId"),
        InstanceId = element.Text("instanceId"),
        NetworkInterfaceId = element.Text("networkInterfaceId"),
        State = element.Text("state"),
    };
}
