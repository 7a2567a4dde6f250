using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>
/// What a launch asks of EC2, and nothing else: the same request for the same cell, since EC2 compares what comes with one client token.
/// By <c>RunInstances</c> and not by <c>CreateFleet</c>, which takes user data only from a launch template: as every cell's is its own,
/// that would be three calls for each cell instead of one, and the answer would be without addresses.
/// </summary>
internal static class AwsLaunch
{
    private const long Gib = 1L << 30;

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
                    Groups = [.. network.SecurityGroupIds],
                    AssociatePublicIpAddress = options.AssignPublicAddress ?? subnet.IsPublic,
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
            IamInstanceProfile = options.InstanceProfile is { } profile
                ? profile.Contains(':', StringComparison.Ordinal)
                    ? new IamInstanceProfileSpecification { Arn = profile }
                    : new IamInstanceProfileSpecification { Name = profile }
                : null,
        };
    }
}
