using System.Globalization;
using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>One thing that cells need, and whether it is so.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="Ok">Whether it is as it has to be.</param>
/// <param name="Detail">What was found; when it is not right, what is wrong and what to do.</param>
public sealed record AwsCheck(string Name, bool Ok, string Detail);

/// <summary>Looks at all that a launch needs, without launching.</summary>
internal sealed class AwsDoctor(AwsCalls calls, AwsDriverOptions options, AwsNetworkReader network, AwsImages images, EcrLogins logins, AwsPrices prices)
{
    private readonly List<AwsCheck> _checks = [];

    public async Task<IReadOnlyList<AwsCheck>> CheckAsync(CancellationToken cancellationToken)
    {
        var cells = await LookAsync("credentials", () => CountCellsAsync(cancellationToken)).ConfigureAwait(false);
        if (cells is null)
        {
            return _checks;
        }

        var place = await LookAsync("network", () => FindNetworkAsync(cancellationToken)).ConfigureAwait(false);
        var group = place is null ? null : await LookAsync("security group", () => FindGroupAsync(place.VpcId, cancellationToken)).ConfigureAwait(false);
        var image = await LookAsync("image", () => FindImageAsync(cancellationToken)).ConfigureAwait(false);
        if (place is not null && group is not null && image is not null)
        {
            await CheckPermissionsAsync(place with { SecurityGroupIds = group.Length > 0 ? [group] : [] }, image, cells, cancellationToken).ConfigureAwait(false);
        }

        await LookAtQuotasAsync(cancellationToken).ConfigureAwait(false);
        await LookAsync("registry logins", () => CheckLoginsAsync(cancellationToken)).ConfigureAwait(false);
        await LookAsync("prices", () => CheckPricesAsync(cancellationToken)).ConfigureAwait(false);
        return _checks;
    }

    private async Task LookAtQuotasAsync(CancellationToken cancellationToken)
    {
        try
        {
            _checks.AddRange(await new AwsQuotas(calls, options).CheckAsync(cancellationToken).ConfigureAwait(false));
        }
        catch (DriverException error)
        {
            _checks.Add(new AwsCheck("vCPUs", false, error.Message));
        }
    }

    private async Task<(string Value, string Detail)> CheckLoginsAsync(CancellationToken cancellationToken)
    {
        await logins.CheckAsync(cancellationToken).ConfigureAwait(false);
        return ("", $"Elastic Container Registry in {options.Region} gives them");
    }

    /// <summary>Cells are launched by old prices as well.</summary>
    private async Task<(string Value, string Detail)> CheckPricesAsync(CancellationToken cancellationToken) =>
        ("", await prices.CheckAsync(cancellationToken).ConfigureAwait(false));

    /// <summary>One of this controller's instances, or empty.</summary>
    private async Task<(string Value, string Detail)> CountCellsAsync(CancellationToken cancellationToken)
    {
        var found = await AwsCalls.PageAsync(
            "ec2:DescribeInstances",
            "list the cells",
            calls.Ec2.Paginators.DescribeInstances(new DescribeInstancesRequest { Filters = [Ec2Filter.On("tag:" + InstanceTags.ControllerId, options.ControllerId), Ec2Filter.On("instance-state-name", "pending", "running")] }).Responses,
            static response => response.Reservations?.SelectMany(static reservation => reservation.Instances ?? []),
            cancellationToken).ConfigureAwait(false);
        return (found.Count > 0 ? found[0].InstanceId ?? "" : "", string.Create(CultureInfo.InvariantCulture, $"EC2 in {options.Region} takes them; {found.Count} cells of {options.ControllerId} run"));
    }

    private async Task<(AwsNetwork Value, string Detail)> FindNetworkAsync(CancellationToken cancellationToken)
    {
        var (vpc, subnets) = await network.FindAsync(cancellationToken).ConfigureAwait(false);
        var zones = subnets.OrderBy(static zone => zone.Key, StringComparer.Ordinal).Select(static zone => $"{zone.Key}: {zone.Value.Id}{(zone.Value.IsPublic ? "" : " (private)")}");
        return (new AwsNetwork(vpc.VpcId!, subnets, []), $"{vpc.VpcId}; {string.Join(", ", zones)}");
    }

    /// <summary>The group, or empty as long as nothing was launched.</summary>
    private async Task<(string Value, string Detail)> FindGroupAsync(string vpcId, CancellationToken cancellationToken)
    {
        var group = new AwsSecurityGroup(calls, options);
        return await group.FindAsync(vpcId, cancellationToken).ConfigureAwait(false) is { GroupId: { } id }
            ? (id, $"{id}, {group.Name}")
            : ("", $"{group.Name}, which the first launch will make");
    }

    private async Task<(CellImage Value, string Detail)> FindImageAsync(CancellationToken cancellationToken)
    {
        var id = await images.ResolveAsync("", cancellationToken).ConfigureAwait(false);
        var image = await images.GetAsync(id.Split(',')[0], cancellationToken).ConfigureAwait(false);
        return (image, $"{id}, {options.Image}");
    }

    /// <summary>A volume of an instance, or empty.</summary>
    private async Task<(string Value, string Detail)> FindVolumeAsync(string instanceId, CancellationToken cancellationToken)
    {
        var found = await AwsCalls.PageAsync(
            "ec2:DescribeVolumes",
            $"look at the volumes of {instanceId}",
            calls.Ec2.Paginators.DescribeVolumes(new DescribeVolumesRequest { Filters = [Ec2Filter.On("attachment.instance-id", instanceId)] }).Responses,
            static response => response.Volumes,
            cancellationToken).ConfigureAwait(false);
        return (found.Count > 0 ? found[0].VolumeId ?? "" : "", $"EC2 shows those of {instanceId}");
    }

    /// <summary>Dry runs of what changes something. What may be done to Kip's own things only can be tried only where there is one.</summary>
    private async Task CheckPermissionsAsync(AwsNetwork place, CellImage image, string instanceId, CancellationToken cancellationToken)
    {
        var zone = place.Subnets.Keys.Order(StringComparer.Ordinal).First();
        var launch = new LaunchRequest
        {
            LaunchToken = "",
            InstanceType = "t3.micro",
            Zone = zone,
            ImageId = image.Id,
            DiskBytes = 0,
            UserData = "",
            Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = options.ControllerId },
        };
        var run = AwsLaunch.MakeRequest(launch, options, place, place.Subnets[zone], image);
        run.ClientToken = null;
        run.DryRun = true;
        await TryAsync("ec2:RunInstances", token => calls.Ec2.RunInstancesAsync(run, token)).ConfigureAwait(false);
        if (instanceId.Length > 0)
        {
            var end = new TerminateInstancesRequest { InstanceIds = [instanceId], DryRun = true };
            await TryAsync("ec2:TerminateInstances", token => calls.Ec2.TerminateInstancesAsync(end, token)).ConfigureAwait(false);
            if (await LookAsync("volumes", () => FindVolumeAsync(instanceId, cancellationToken)).ConfigureAwait(false) is { Length: > 0 } volumeId)
            {
                var attach = new AttachVolumeRequest { VolumeId = volumeId, InstanceId = instanceId, Device = "/dev/xvdba", DryRun = true };
                var detach = new DetachVolumeRequest { VolumeId = volumeId, InstanceId = instanceId, DryRun = true };
                await TryAsync("ec2:AttachVolume", token => calls.Ec2.AttachVolumeAsync(attach, token)).ConfigureAwait(false);
                await TryAsync("ec2:DetachVolume", token => calls.Ec2.DetachVolumeAsync(detach, token)).ConfigureAwait(false);
            }
        }

        if (place.SecurityGroupIds is [var group])
        {
            List<IpPermission> rules = [new() { IpProtocol = "-1", Ipv4Ranges = [new IpRange { CidrIp = "198.51.100.0/24" }] }];
            var authorize = new AuthorizeSecurityGroupIngressRequest { GroupId = group, IpPermissions = rules, DryRun = true };
            var revoke = new RevokeSecurityGroupIngressRequest { GroupId = group, IpPermissions = rules, DryRun = true };
            await TryAsync("ec2:AuthorizeSecurityGroupIngress", token => calls.Ec2.AuthorizeSecurityGroupIngressAsync(authorize, token)).ConfigureAwait(false);
            await TryAsync("ec2:RevokeSecurityGroupIngress", token => calls.Ec2.RevokeSecurityGroupIngressAsync(revoke, token)).ConfigureAwait(false);
        }
        else
        {
            var create = new AwsSecurityGroup(calls, options).MakeRequest(place.VpcId);
            create.DryRun = true;
            await TryAsync("ec2:CreateSecurityGroup", token => calls.Ec2.CreateSecurityGroupAsync(create, token)).ConfigureAwait(false);
        }

        async Task TryAsync<T>(string permission, Func<CancellationToken, Task<T>> call)
        {
            try
            {
                await AwsCalls.CallAsync(permission, $"try {permission}", call, cancellationToken).ConfigureAwait(false);
                _checks.Add(new AwsCheck(permission, false, "the endpoint does not know dry runs, and has done it"));
            }
            catch (DriverException error) when (AwsErrors.CodeOf(error) == AwsErrors.DryRunOperation)
            {
                _checks.Add(new AwsCheck(permission, true, "allowed"));
            }
            catch (DriverException error)
            {
                _checks.Add(new AwsCheck(permission, false, error.Message));
            }
        }
    }

    private async Task<T?> LookAsync<T>(string name, Func<Task<(T Value, string Detail)>> look)
        where T : class
    {
        try
        {
            var (value, detail) = await look().ConfigureAwait(false);
            _checks.Add(new AwsCheck(name, true, detail));
            return value;
        }
        catch (DriverException error)
        {
            _checks.Add(new AwsCheck(name, false, error.Message));
            return null;
        }
    }
}
