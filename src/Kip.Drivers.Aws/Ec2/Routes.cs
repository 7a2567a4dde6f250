using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

/// <summary>One route of a table, to an instance.</summary>
internal abstract class RouteRequest : AmazonEC2Request
{
    public required string RouteTableId { get; init; }

    public required string DestinationCidrBlock { get; init; }

    /// <summary>Where it leads; null when it is taken away.</summary>
    public string? InstanceId { get; init; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("RouteTableId", RouteTableId);
        parameters.Add("DestinationCidrBlock", DestinationCidrBlock);
        parameters.Add("InstanceId", InstanceId);
    }
}

internal sealed class CreateRouteRequest : RouteRequest
{
    public override string Action => "CreateRoute";
}

internal sealed class ReplaceRouteRequest : RouteRequest
{
    public override string Action => "ReplaceRoute";
}

internal sealed class DeleteRouteRequest : RouteRequest
{
    public override string Action => "DeleteRoute";
}

/// <summary>Of what such a request only the one member is here that Kip changes.</summary>
internal sealed class ModifyInstanceAttributeRequest : AmazonEC2Request
{
    public override string Action => "ModifyInstanceAttribute";

    public required string InstanceId { get; init; }

    /// <summary>Whether the instance gets and sends only what is addressed to or from itself.</summary>
    public bool? SourceDestCheck { get; init; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("InstanceId", InstanceId);
        parameters.Add("SourceDestCheck.Value", SourceDestCheck);
    }
}

/// <summary>An answer that says nothing: what failed is an error.</summary>
internal sealed class EmptyResponse : AmazonWebServiceResponse, IQueryResponse<EmptyResponse>
{
    public static EmptyResponse Read(XElement root) => new();
}
