using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>
/// What a launch asks of EC2, and nothing else: the same request for the same cell, since EC2 compares what comes with one client token.
/// By <c>RunInstances</c>; docs/aws.md says in numbers why not by <c>CreateFleet</c>.
/// </summary>
internal static class AwsLaunch
{
    private const long Gib = 1L << 30;
    private const string ResourceGroups = "resource-groups";

    // The interface, the disk and, at the spot market, the request are things of their own: without tags nobody would know whose they are.
    private static readonly string[] Tagged = ["instance", "volume", "network-interface"];
    private static readonly string[] TaggedOnSpot = [.. Tagged, "spot-instances-request"];

    public static RunInstancesRequest MakeRequest(LaunchRequest request, AwsDriverOptions options, AwsNetwork network, CellSubnet subnet, CellImage image)
    {
        var tags = AwsTags.Make(request.Tags, options.Tags);
        return new RunInstancesRequest
        {
            ClientToken = request.LaunchToken,
            ImageId = image.Id,
            InstanceType = request.InstanceType,
            MinCount = 1,
            MaxCount = 1,
            UserData = CellUserData.Encode(request.UserData, options.AgentUrl, options.AgentSha256),
            // A cell that shuts itself down is over, and must not go on costing its disk.
            InstanceInitiatedShutdownBehavior = "terminate",
            // Version 2 of the metadata service only, and one hop: not from inside of a pod's network.
            MetadataOptions = new InstanceMetadataOptionsRequest { HttpEndpoint = "enabled", HttpTokens = "required", HttpPutResponseHopLimit = 1 },
            // The price of bursts is part of what the type was chosen by; without them a pod that bursts would slowly come to a halt.
            CreditSpecification = Burstable.HasCredits(request.InstanceType) ? new CreditSpecificationRequest { CpuCredits = "unlimited" } : null,
            BlockDeviceMappings =
            [
                new BlockDeviceMapping
                {
                    DeviceName = image.RootDeviceName,
                    Ebs = new EbsBlockDevice
                    {
                        VolumeSize = Math.Max(image.DiskGib, (int)((request.DiskBytes + Gib - 1) / Gib)),
                        VolumeType = "gp3",
                        Encrypted = true,
                        KmsKeyId = options.KmsKeyId,
                        DeleteOnTermination = true,
                    },
                },
            ],
            NetworkInterfaces =
            [
                new InstanceNetworkInterfaceSpecification
                {
                    DeviceIndex = 0,
                    SubnetId = subnet.Id,
                    Groups = [.. Groups(request.Options, network)],
                    AssociatePublicIpAddress = HasPublicAddress(request.Options, options, subnet),
                    // The pod's.
                    SecondaryPrivateIpAddressCount = 1,
                    DeleteOnTermination = true,
                },
            ],
            TagSpecifications =
            [
                .. (request.CapacityType == CapacityType.Spot ? TaggedOnSpot : Tagged).Select(type => new TagSpecification { ResourceType = type, Tags = tags }),
            ],
            InstanceMarketOptions = request.CapacityType == CapacityType.Spot
                ? new InstanceMarketOptionsRequest
                {
                    MarketType = "spot",
                    SpotOptions = new SpotMarketOptions { SpotInstanceType = "one-time", InstanceInterruptionBehavior = "terminate" },
                }
                : null,
            IamInstanceProfile = (request.Options?.InstanceProfile ?? options.InstanceProfile) is { } profile
                ? profile.Contains(':', StringComparison.Ordinal)
                    ? new IamInstanceProfileSpecification { Arn = profile }
                    : new IamInstanceProfileSpecification { Name = profile }
                : null,
            // On one of the account's hosts that take what is not meant for a certain one (auto-placement).
            Placement = request.Options?.DedicatedHost == true ? new Placement { Tenancy = "host" } : null,
            CapacityReservationSpecification = options.CapacityReservation is { } reservation && request.CapacityType == CapacityType.OnDemand
                ? new CapacityReservationSpecification { CapacityReservationTarget = Target(reservation) }
                : null,
        };
    }

    /// <summary>Kip's own group first, then the pod's, or else the configured ones.</summary>
    public static IEnumerable<string> Groups(LaunchOptions? pod, AwsNetwork network) =>
        pod is { SecurityGroups.Count: > 0 } ? [network.SecurityGroupIds[0], .. pod.SecurityGroups] : network.SecurityGroupIds;

    private static bool HasPublicAddress(LaunchOptions? pod, AwsDriverOptions options, CellSubnet subnet) => pod?.PrivateAddressOnly switch
    {
        true => false,
        false => subnet.IsPublic,
        null => options.AssignPublicAddress ?? subnet.IsPublic,
    };

    private static CapacityReservationTarget Target(string reservation) => reservation.Contains(ResourceGroups, StringComparison.Ordinal)
        ? new CapacityReservationTarget { CapacityReservationResourceGroupArn = reservation }
        : new CapacityReservationTarget { CapacityReservationId = reservation };
}
