using Amazon.EC2;
using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <content>
/// Routes to cells, in the route tables of the subnets that cells may be in. A subnet without a table of its own has the network's main one, whose
/// routes hold for all such subnets.
/// </content>
public sealed partial class AwsDriver : ICellRouter
{
    /// <inheritdoc/>
    public async Task RouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        if (await FindAsync(instanceId, cancellationToken).ConfigureAwait(false) is not { State: < InstanceState.Terminating })
        {
            throw new DriverException(DriverErrorKind.NotFound, $"cannot route to {instanceId}: {_options.ControllerId} has no such instance, or none any more");
        }

        var forward = new ModifyInstanceAttributeRequest { InstanceId = instanceId, SourceDestCheck = false };
        await AwsCalls.CallAsync(
            "ec2:ModifyInstanceAttribute",
            $"let {instanceId} take what is not addressed to it",
            token => _calls.Ec2.ModifyInstanceAttributeAsync(forward, token),
            cancellationToken).ConfigureAwait(false);

        var network = await _network.GetAsync(cancellationToken).ConfigureAwait(false);
        var tables = await _network.ReadTablesAsync(network.VpcId, cancellationToken).ConfigureAwait(false);
        var tableOf = AwsNetworkReader.BySubnet(tables);
        foreach (var table in network.Subnets.Values.Select(subnet => tableOf(subnet.Id)).OfType<RouteTable>().DistinctBy(static table => table.RouteTableId))
        {
            foreach (var range in ranges)
            {
                await RouteAsync(table, range, instanceId, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc/>
    public async Task UnrouteAsync(string instanceId, IReadOnlyList<string> ranges, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        var network = await _network.GetAsync(cancellationToken).ConfigureAwait(false);
        foreach (var table in await _network.ReadTablesAsync(network.VpcId, cancellationToken).ConfigureAwait(false))
        {
            // Of an instance that has ended EC2 knows the interface only.
            foreach (var route in (table.Routes ?? []).Where(route => ranges.Contains(route.DestinationCidrBlock)
                && (route.InstanceId == instanceId || (route is { InstanceId: null, NetworkInterfaceId: not null } && route.State == RouteState.Blackhole))))
            {
                var gone = new DeleteRouteRequest { RouteTableId = table.RouteTableId!, DestinationCidrBlock = route.DestinationCidrBlock! };
                try
                {
                    await AwsCalls.CallAsync(
                        "ec2:DeleteRoute",
                        $"take away the route of {route.DestinationCidrBlock} to {instanceId} in {table.RouteTableId}",
                        token => _calls.Ec2.DeleteRouteAsync(gone, token),
                        cancellationToken).ConfigureAwait(false);
                }
                catch (DriverException error) when (AwsErrors.CodeOf(error) == AwsErrors.RouteNotFound)
                {
                    // Somebody was faster.
                }
            }
        }
    }

    private async Task RouteAsync(RouteTable table, string range, string instanceId, CancellationToken cancellationToken)
    {
        var (id, purpose) = (table.RouteTableId!, $"route {range} to {instanceId} in {table.RouteTableId}");
        if (table.Routes?.Find(route => route.DestinationCidrBlock == range) is not { } there)
        {
            var create = new CreateRouteRequest { RouteTableId = id, DestinationCidrBlock = range, InstanceId = instanceId };
            await AwsCalls.CallAsync("ec2:CreateRoute", purpose, token => _calls.Ec2.CreateRouteAsync(create, token), cancellationToken).ConfigureAwait(false);
            return;
        }

        if (there.InstanceId == instanceId)
        {
            return;
        }

        if (there.State != RouteState.Blackhole && (there.InstanceId is not { } other || await FindAsync(other, cancellationToken).ConfigureAwait(false) is null))
        {
            var target = there.InstanceId ?? there.NetworkInterfaceId ?? there.GatewayId ?? "something else";
            throw new DriverException(
                DriverErrorKind.InvalidConfiguration,
                $"cannot {purpose}: it leads to {target} there, which is no cell of {_options.ControllerId}: take that route away, or use another range");
        }

        var replace = new ReplaceRouteRequest { RouteTableId = id, DestinationCidrBlock = range, InstanceId = instanceId };
        await AwsCalls.CallAsync("ec2:ReplaceRoute", purpose, token => _calls.Ec2.ReplaceRouteAsync(replace, token), cancellationToken).ConfigureAwait(false);
    }
}
