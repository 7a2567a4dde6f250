using System.Collections.Frozen;
using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>Where cells are put: the subnet of each zone, and the security groups of all.</summary>
/// <param name="VpcId">The network.</param>
/// <param name="Subnets">By zone.</param>
/// <param name="SecurityGroupIds">Kip's own first.</param>
internal sealed record AwsNetwork(string VpcId, FrozenDictionary<string, CellSubnet> Subnets, IReadOnlyList<string> SecurityGroupIds);

/// <summary>A subnet that cells are put into.</summary>
/// <param name="Id">Its id.</param>
/// <param name="IsPublic">Whether it has a route to an internet gateway.</param>
internal sealed record CellSubnet(string Id, bool IsPublic);

/// <summary>Finds the network, and makes it fit for cells. What was found is kept for a while.</summary>
internal sealed class AwsNetworkReader(AwsCalls calls, AwsDriverOptions options, TimeProvider timeProvider) : IDisposable
{
    private const string DefaultVpc = "default";
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _turn = new(1);
    private volatile Known? _known;

    /// <summary>The network, read again when it is old or was forgotten.</summary>
    /// <exception cref="DriverException">It cannot be read, or nothing can be launched in it.</exception>
    public async Task<AwsNetwork> GetAsync(CancellationToken cancellationToken)
    {
        if (_known is { } known && timeProvider.GetElapsedTime(known.ReadAt) < Lifetime)
        {
            return known.Network;
        }

        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_known is not { } other || timeProvider.GetElapsedTime(other.ReadAt) >= Lifetime)
            {
                _known = other = new Known(await ReadAsync(cancellationToken).ConfigureAwait(false), timeProvider.GetTimestamp());
            }

            return other.Network;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Reads it again when it is asked for next: something of it is gone or full.</summary>
    public void Forget() => _known = null;

    public void Dispose() => _turn.Dispose();

    /// <summary>Finds the network and its subnets by zone. Changes nothing.</summary>
    /// <exception cref="DriverException">They cannot be read, or there are none.</exception>
    public async Task<(Vpc Vpc, FrozenDictionary<string, CellSubnet> Subnets)> FindAsync(CancellationToken cancellationToken)
    {
        var subnets = await FindSubnetsAsync(cancellationToken).ConfigureAwait(false);
        var vpc = await FindVpcAsync(subnets.Count > 0 ? subnets[0].VpcId : null, cancellationToken).ConfigureAwait(false);
        if (subnets.Count == 0)
        {
            subnets = await DescribeSubnetsAsync(Ec2Filter.On("vpc-id", vpc.VpcId!), cancellationToken).ConfigureAwait(false);
        }

        if (subnets.Count == 0)
        {
            throw Invalid($"the VPC {vpc.VpcId} has no subnet: make one, or configure another VPC");
        }

        var isPublic = await ReadRoutesAsync(vpc.VpcId!, cancellationToken).ConfigureAwait(false);
        var byZone = subnets.Where(static subnet => subnet.AvailabilityZone is not null).GroupBy(static subnet => subnet.AvailabilityZone!, StringComparer.Ordinal);
        return (vpc, byZone.ToFrozenDictionary(static zone => zone.Key, zone => Choose(zone, isPublic), StringComparer.Ordinal));
    }

    private async Task<AwsNetwork> ReadAsync(CancellationToken cancellationToken)
    {
        var (vpc, subnets) = await FindAsync(cancellationToken).ConfigureAwait(false);
        var groups = await new AwsSecurityGroup(calls, options).EnsureAsync(vpc, cancellationToken).ConfigureAwait(false);
        return new AwsNetwork(vpc.VpcId!, subnets, groups);
    }

    private async Task<List<Subnet>> FindSubnetsAsync(CancellationToken cancellationToken)
    {
        if (options.SubnetIds.Count == 0)
        {
            return [];
        }

        // By a filter, because a list of ids with a wrong one in it says nothing about the others.
        var subnets = await DescribeSubnetsAsync(Ec2Filter.On("subnet-id", options.SubnetIds), cancellationToken).ConfigureAwait(false);
        var missing = options.SubnetIds.Except(subnets.Select(static subnet => subnet.SubnetId)).ToList();
        if (missing.Count > 0)
        {
            throw Invalid($"there is no subnet {string.Join(", ", missing)} in {options.Region} that this account can use: check the ids and the region");
        }

        var vpcs = subnets.Select(static subnet => subnet.VpcId).Distinct().ToList();
        if (vpcs.Count > 1)
        {
            throw Invalid($"the subnets are in different VPCs ({string.Join(", ", vpcs)}): configure those of one");
        }

        return options.VpcId is null or DefaultVpc || options.VpcId == vpcs[0]
            ? subnets
            : throw Invalid($"the subnets are in {vpcs[0]}, but the VPC is configured to be {options.VpcId}");
    }

    private Task<List<Subnet>> DescribeSubnetsAsync(Filter filter, CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "ec2:DescribeSubnets",
        "read the subnets",
        calls.Ec2.Paginators.DescribeSubnets(new DescribeSubnetsRequest { Filters = [filter, Ec2Filter.On("state", "available")] }).Responses,
        static response => response.Subnets,
        cancellationToken);

    private async Task<Vpc> FindVpcAsync(string? ofSubnets, CancellationToken cancellationToken)
    {
        var id = ofSubnets ?? (options.VpcId is DefaultVpc ? null : options.VpcId);
        var vpcs = await AwsCalls.PageAsync(
            "ec2:DescribeVpcs",
            "read the VPC",
            calls.Ec2.Paginators.DescribeVpcs(new DescribeVpcsRequest { Filters = [id is null ? Ec2Filter.On("is-default", "true") : Ec2Filter.On("vpc-id", id)] }).Responses,
            static response => response.Vpcs,
            cancellationToken).ConfigureAwait(false);
        return vpcs.Find(static vpc => vpc.VpcId is not null)
            ?? throw Invalid(id is null
                ? $"the account has no default VPC in {options.Region}: configure the id of the VPC that cells are to be in"
                : $"there is no VPC {id} in {options.Region} that this account can use: check the id and the region");
    }

    /// <summary>The route tables of a network.</summary>
    /// <exception cref="DriverException">They cannot be read.</exception>
    public Task<List<RouteTable>> ReadTablesAsync(string vpcId, CancellationToken cancellationToken) => AwsCalls.PageAsync(
        "ec2:DescribeRouteTables",
        "read the route tables",
        calls.Ec2.Paginators.DescribeRouteTables(new DescribeRouteTablesRequest { Filters = [Ec2Filter.On("vpc-id", vpcId)] }).Responses,
        static response => response.RouteTables,
        cancellationToken);

    /// <summary>The table of a subnet. One without a table of its own has the network's main one.</summary>
    public static Func<string, RouteTable?> BySubnet(List<RouteTable> tables)
    {
        var main = tables.Find(static table => table.Associations?.Exists(static association => association.Main == true) == true);
        var own = tables
            .SelectMany(static table => (table.Associations ?? []).Where(static association => association.SubnetId is not null).Select(association => (association.SubnetId, table)))
            .ToLookup(static pair => pair.SubnetId!, static pair => pair.table, StringComparer.Ordinal);
        return subnet => own[subnet].FirstOrDefault() ?? main;
    }

    /// <summary>Which subnets have a route to an internet gateway.</summary>
    private async Task<Func<string, bool>> ReadRoutesAsync(string vpcId, CancellationToken cancellationToken)
    {
        var tableOf = BySubnet(await ReadTablesAsync(vpcId, cancellationToken).ConfigureAwait(false));
        return subnet => tableOf(subnet)?.Routes?
            .Exists(static route => route.DestinationCidrBlock == "0.0.0.0/0" && route.GatewayId?.StartsWith("igw-", StringComparison.Ordinal) == true) == true;
    }

    /// <summary>The subnet of a zone: one that suits the addresses that cells get, then the one with the most room.</summary>
    private CellSubnet Choose(IEnumerable<Subnet> zone, Func<string, bool> isPublic) => zone
        .Select(subnet => (Subnet: subnet, Cell: new CellSubnet(subnet.SubnetId!, isPublic(subnet.SubnetId!))))
        .OrderByDescending(candidate => candidate.Cell.IsPublic == (options.AssignPublicAddress ?? true))
        .ThenByDescending(static candidate => candidate.Subnet.DefaultForAz == true)
        .ThenByDescending(static candidate => candidate.Subnet.AvailableIpAddressCount ?? 0)
        .ThenBy(static candidate => candidate.Cell.Id, StringComparer.Ordinal)
        .First().Cell;

    private static DriverException Invalid(string message) => new(DriverErrorKind.InvalidConfiguration, message);

    private sealed record Known(AwsNetwork Network, long ReadAt);
}
