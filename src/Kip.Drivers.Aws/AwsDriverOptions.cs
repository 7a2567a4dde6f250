using Amazon.Runtime;
using Kip.Sizing;

namespace Kip.Drivers.Aws;

/// <summary>Where and how the AWS driver makes cells.</summary>
public sealed record AwsDriverOptions
{
    /// <summary>
    /// Value of the <see cref="InstanceTags.ControllerId"/> tag; instances of another controller are neither listed nor touched. Part of the
    /// name of the security group, so at most 200 characters.
    /// </summary>
    public required string ControllerId { get; init; }

    /// <summary>The region, for example <c>us-east-1</c>. <see cref="DetectRegion"/> finds the one that AWS's own tools would take.</summary>
    public required string Region { get; init; }

    /// <summary>
    /// Credentials; null for AWS's own sources, in this order: environment, web identity (EKS service accounts), profile, container or pod
    /// identity, instance metadata (version 2).
    /// </summary>
    public AWSCredentials? Credentials { get; init; }

    /// <summary>Where all services are, instead of AWS's own endpoints of the region.</summary>
    public Uri? EndpointUrl { get; init; }

    /// <summary>Accept any certificate of the endpoint. For laboratories only: whoever is between sees and changes everything.</summary>
    public bool InsecureTlsSkipVerify { get; init; }

    /// <summary>The network that cells are in; null or <c>default</c> for the network of <see cref="SubnetIds"/>, or else the region's default one.</summary>
    public string? VpcId { get; init; }

    /// <summary>The subnets that cells may be in; empty for all of the network. Zones without one are not offered.</summary>
    public IReadOnlyList<string> SubnetIds { get; init; } = [];

    /// <summary>Security groups of every cell, besides the one that Kip makes; at most 4.</summary>
    public IReadOnlyList<string> ExtraSecurityGroupIds { get; init; } = [];

    /// <summary>IPv4 ranges outside of the network, such as <c>10.0.0.0/8</c>, that reach agents and pods as those inside of it do.</summary>
    public IReadOnlyList<string> ExtraCidrs { get; init; } = [];

    /// <summary>Whether cells get a public address; null for those in subnets with a route to an internet gateway, which reach nothing without.</summary>
    public bool? AssignPublicAddress { get; init; }

    /// <summary>Whether agents are reached at the public address of their cells, for a controller outside of the network. Default false.</summary>
    public bool ConnectToPublicAddress { get; init; }

    /// <summary>
    /// The image of cells when none is named: an id (<c>ami-…</c>), the path of a public parameter of Systems Manager (<c>/aws/service/…</c>),
    /// the name of an own image, which may have <c>*</c> in it, or the Go Kip's <c>bootImageSpec</c> in one line
    /// (<c>owners=136693071363; filters=name=debian-12-* architecture=x86_64</c>); of several images the newest is taken, one for each
    /// architecture. <c>{arch}</c> in the path of a parameter stands for <c>amd64</c> and <c>arm64</c>. Default is Debian 12 for amd64, on which
    /// cells install what they need as they boot.
    /// </summary>
    public string Image { get; init; } = "/aws/service/debian/release/12/latest/amd64";

    /// <summary>Instance profile of every cell, by name or ARN; null for none. The controller must be allowed to pass its role.</summary>
    public string? InstanceProfile { get; init; }

    /// <summary>
    /// Where cells on demand are put first of all: the id of a capacity reservation (<c>cr-…</c>), or the ARN of a resource group of such. Null
    /// for what EC2 does by itself, which is to use the account's open reservations.
    /// </summary>
    public string? CapacityReservation { get; init; }

    /// <summary>Key that root disks are encrypted with; null for the account's default key of EBS.</summary>
    public string? KmsKeyId { get; init; }

    /// <summary>Where cells download the agent that their image does not bring; null when it does.</summary>
    public Uri? AgentUrl { get; init; }

    /// <summary>SHA-256 of the file at <see cref="AgentUrl"/>, in 64 hexadecimal digits.</summary>
    public string? AgentSha256 { get; init; }

    /// <summary>
    /// What is known of the region's types without asking for it: measured memory, and prices on demand for when AWS's price list cannot be
    /// read. The package Kip.Catalogs has one.
    /// </summary>
    public InstanceCatalog? PriceList { get; init; }

    /// <summary>
    /// Whether AWS's price list goes before <see cref="PriceList"/> where it can be read; default true. Switch it off when that one has prices of
    /// your own.
    /// </summary>
    public bool LivePrices { get; init; } = true;

    /// <summary>More tags for everything that the driver makes. Kip's own go first.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// A queue of SQS, by its URL, in which an EventBridge rule puts EC2's spot interruption warnings and rebalance recommendations; null, the
    /// default, for none: agents hear of both from the instance's metadata service.
    /// </summary>
    public Uri? InterruptionQueue { get; init; }

    /// <summary>
    /// How fast the account may call EC2. Default what AWS publishes: RunInstances 2 a second and 5 at once, 2 instances a second and 1,000 at
    /// once, TerminateInstances 5 and 100, DescribeInstances 20 and 100. Service Quotas raises them.
    /// </summary>
    public CallLimits CallLimits { get; init; } = new()
    {
        Launch = new RateLimit(2, 5),
        Instances = new RateLimit(2, 1000),
        Terminate = new RateLimit(5, 100),
        List = new RateLimit(20, 100),
        TerminateAtOnce = 100,
    };

    /// <summary>
    /// The region that AWS's own tools would take: <c>AWS_DEFAULT_REGION</c>, <c>AWS_REGION</c>, the profile's, or the one that this machine
    /// is in, for which the instance metadata service is asked; null when none of them knows.
    /// </summary>
    public static string? DetectRegion() =>
        Environment.GetEnvironmentVariable("AWS_DEFAULT_REGION") is { Length: > 0 } region ? region : FallbackRegionFactory.GetRegionEndpoint()?.SystemName;
}
