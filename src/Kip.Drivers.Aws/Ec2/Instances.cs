using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class DescribeInstancesRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeInstances";

    public List<string>? InstanceIds { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        base.WriteMembers(parameters);
        parameters.Add("InstanceId", InstanceIds);
    }
}

internal sealed class DescribeInstancesResponse : AmazonWebServiceResponse, IQueryResponse<DescribeInstancesResponse>
{
    public List<Reservation> Reservations { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeInstancesResponse Read(XElement root) => new()
    {
        Reservations = root.List("reservationSet", Reservation.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class TerminateInstancesRequest : AmazonEC2Request
{
    public override string Action => "TerminateInstances";

    public List<string> InstanceIds { get; init; } = [];

    protected override void WriteMembers(QueryParameters parameters) => parameters.Add("InstanceId", InstanceIds);
}

internal sealed class TerminateInstancesResponse : AmazonWebServiceResponse, IQueryResponse<TerminateInstancesResponse>
{
    public List<InstanceStateChange> TerminatingInstances { get; init; } = [];

    public static TerminateInstancesResponse Read(XElement root) => new() { TerminatingInstances = root.List("instancesSet", InstanceStateChange.Read) };
}

internal sealed class InstanceStateChange
{
    public string? InstanceId { get; init; }

    public InstanceState? CurrentState { get; init; }

    public static InstanceStateChange Read(XElement element) => new()
    {
        InstanceId = element.Text("instanceId"),
        CurrentState = element.Structure("currentState", InstanceState.Read),
    };
}

/// <summary>What one call launched.</summary>
internal sealed class Reservation
{
    public List<Instance> Instances { get; init; } = [];

    public static Reservation Read(XElement element) => new() { Instances = element.List("instancesSet", Instance.Read) };
}

internal sealed class Instance
{
    public string? InstanceId { get; init; }

    public InstanceState? State { get; init; }

    public string? InstanceType { get; init; }

    /// <summary><c>spot</c>, or null for one on demand.</summary>
    public string? InstanceLifecycle { get; init; }

    public Placement? Placement { get; init; }

    public string? PrivateIpAddress { get; init; }

    public string? PublicIpAddress { get; init; }

    public List<InstanceNetworkInterface> NetworkInterfaces { get; init; } = [];

    public List<Tag> Tags { get; init; } = [];

    public DateTime? LaunchTime { get; init; }

    public StateReason? StateReason { get; init; }

    public string? StateTransitionReason { get; init; }

    public CpuOptions? CpuOptions { get; init; }

    public static Instance Read(XElement element) => new()
    {
        InstanceId = element.Text("instanceId"),
        State = element.Structure("instanceState", InstanceState.Read),
        InstanceType = element.Text("instanceType"),
        InstanceLifecycle = element.Text("instanceLifecycle"),
        Placement = element.Structure("placement", Placement.Read),
        PrivateIpAddress = element.Text("privateIpAddress"),
        PublicIpAddress = element.Text("ipAddress"),
        NetworkInterfaces = element.List("networkInterfaceSet", InstanceNetworkInterface.Read),
        Tags = element.List("tagSet", Tag.Read),
        LaunchTime = element.Timestamp("launchTime"),
        StateReason = element.Structure("stateReason", StateReason.Read),
        StateTransitionReason = element.Text("reason"),
        CpuOptions = element.Structure("cpuOptions", CpuOptions.Read),
    };
}

internal sealed class CpuOptions
{
    public int? CoreCount { get; init; }

    public int? ThreadsPerCore { get; init; }

    public static CpuOptions Read(XElement element) => new() { CoreCount = element.Int32("coreCount"), ThreadsPerCore = element.Int32("threadsPerCore") };
}

internal sealed class InstanceState
{
    public string? Name { get; init; }

    public static InstanceState Read(XElement element) => new() { Name = element.Text("name") };
}

internal sealed class Placement : IQueryStructure
{
    public string? AvailabilityZone { get; init; }

    public string? Tenancy { get; init; }

    public static Placement Read(XElement element) => new() { AvailabilityZone = element.Text("availabilityZone"), Tenancy = element.Text("tenancy") };

    public void Write(QueryParameters parameters)
    {
        parameters.Add("AvailabilityZone", AvailabilityZone);
        parameters.Add("Tenancy", Tenancy);
    }
}

internal sealed class StateReason
{
    public string? Code { get; init; }

    public string? Message { get; init; }

    public static StateReason Read(XElement element) => new() { Code = element.Text("code"), Message = element.Text("message") };
}

internal sealed class InstanceNetworkInterface
{
    public List<InstancePrivateIpAddress> PrivateIpAddresses { get; init; } = [];

    public static InstanceNetworkInterface Read(XElement element) => new()
    {
        PrivateIpAddresses = element.List("privateIpAddressesSet", InstancePrivateIpAddress.Read),
    };
}

internal sealed class InstancePrivateIpAddress
{
    public bool? Primary { get; init; }

    public string? PrivateIpAddress { get; init; }

    public static InstancePrivateIpAddress Read(XElement element) => new()
    {
        Primary = element.Boolean("primary"),
        PrivateIpAddress = element.Text("privateIpAddress"),
    };
}
