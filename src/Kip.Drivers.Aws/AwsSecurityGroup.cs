using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>
/// The security group that Kip makes for its cells, one for each controller and network. It lets in everything from the network's ranges
/// and the extra ones, since pods serve on ports of their own choice to nodes and pods that are there; network policies say the rest. The
/// agent's port needs no rule of its own: it talks to nobody without the controller's certificate. Other rules are taken away.
/// </summary>
internal sealed class AwsSecurityGroup(AwsCalls calls, AwsDriverOptions options)
{
    private const string AllProtocols = "-1";

    /// <summary>What it is called.</summary>
    public string Name { get; } = $"kip-{options.ControllerId}-cellsecuritygroup".ToLowerInvariant();

    /// <summary>Makes it or sets it right, and returns the ids of all groups that cells get, this one first.</summary>
    /// <exception cref="DriverException">It cannot be, or a group of the configuration is not there.</exception>
    public async Task<IReadOnlyList<string>> EnsureAsync(Vpc vpc, CancellationToken cancellationToken)
    {
        var group = await FindAsync(vpc.VpcId!, cancellationToken).ConfigureAwait(false)
            ?? await CreateAsync(vpc.VpcId!, cancellationToken).ConfigureAwait(false);
        await ConvergeAsync(group, MakeRules(vpc), cancellationToken).ConfigureAwait(false);
        return [group.GroupId!, .. options.ExtraSecurityGroupIds];
    }

    /// <summary>The group, or null; also looks whether the extra ones are there. Changes nothing.</summary>
    /// <exception cref="DriverException">One of the configuration is not there, or the name is somebody else's.</exception>
    public async Task<SecurityGroup?> FindAsync(string vpcId, CancellationToken cancellationToken)
    {
        await CheckAsync(vpcId, options.ExtraSecurityGroupIds, "check the extra security groups", cancellationToken).ConfigureAwait(false);
        var found = await DescribeAsync(cancellationToken, Ec2Filter.On("vpc-id", vpcId), Ec2Filter.On("group-name", Name)).ConfigureAwait(false);
        var group = found.Find(static group => group.GroupId is not null);
        return group is null || group.Tags?.Exists(tag => tag.Key == InstanceTags.ControllerId && tag.Value == options.ControllerId) == true
            ? group
            : throw new DriverException(
                DriverErrorKind.InvalidConfiguration,
                $"the security group {group.GroupId} is called {Name} but has no tag {InstanceTags.ControllerId}={options.ControllerId}: delete it, or tag it if it is Kip's");
    }

    /// <summary>What makes it.</summary>
    public CreateSecurityGroupRequest MakeRequest(string vpcId) => new()
    {
        GroupName = Name,
        Description = $"Cells of Kip, controller {options.ControllerId}",
        VpcId = vpcId,
        TagSpecifications =
        [
            new TagSpecification
            {
                ResourceType = "security-group",
                Tags = AwsTags.Make(new Dictionary<string, string> { [InstanceTags.ControllerId] = options.ControllerId, [InstanceTags.Name] = Name }, options.Tags),
            },
        ],
    };

    /// <summary>Looks whether groups that others made are there.</summary>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.InvalidConfiguration"/>: one is not; the message ends with the remedy.</exception>
    public async Task CheckAsync(string vpcId, IReadOnlyList<string> ids, string remedy, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
        {
            return;
        }

        var found = await DescribeAsync(cancellationToken, Ec2Filter.On("vpc-id", vpcId), Ec2Filter.On("group-id", ids)).ConfigureAwait(false);
        var missing = ids.Except(found.Select(static group => group.GroupId)).ToList();
        if (missing.Count > 0)
        {
            throw new DriverException(
                DriverErrorKind.InvalidConfiguration, $"there is no security group {string.Join(", ", missing)} in {vpcId}: {remedy}");
        }
    }

    private Task<List<SecurityGroup>> DescribeAsync(CancellationToken cancellationToken, params List<Filter> filters) => AwsCalls.PageAsync(
        "ec2:DescribeSecurityGroups",
        "read the security groups",
        calls.Ec2.Paginators.DescribeSecurityGroups(new DescribeSecurityGroupsRequest { Filters = filters }).Responses,
        static response => response.SecurityGroups,
        cancellationToken);

    private async Task<SecurityGroup> CreateAsync(string vpcId, CancellationToken cancellationToken)
    {
        try
        {
            var created = await AwsCalls.CallAsync(
                "ec2:CreateSecurityGroup",
                $"make the security group {Name}",
                token => calls.Ec2.CreateSecurityGroupAsync(MakeRequest(vpcId), token),
                cancellationToken).ConfigureAwait(false);
            return new SecurityGroup { GroupId = created.GroupId, GroupName = Name };
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) == AwsErrors.GroupDuplicate)
        {
            // Another process was faster, or an earlier try of this one: its answer was lost.
            return await FindAsync(vpcId, cancellationToken).ConfigureAwait(false)
                ?? throw new DriverException(DriverErrorKind.Transient, $"the security group {Name} exists but is not listed yet", error);
        }
    }

    private HashSet<Rule> MakeRules(Vpc vpc)
    {
        // Ranges that are on their way out are no longer the network's.
        var ranges = (vpc.CidrBlockAssociationSet ?? [])
            .Where(static association => association.CidrBlockState?.State?.Value is null or "associated")
            .Select(static association => association.CidrBlock)
            .Append(vpc.CidrBlock)
            .Concat(options.ExtraCidrs)
            .OfType<string>();
        return [.. ranges.Select(static range => new Rule(AllProtocols, null, null, RuleSource.Ipv4, range))];
    }

    private async Task ConvergeAsync(SecurityGroup group, HashSet<Rule> wanted, CancellationToken cancellationToken)
    {
        var present = (group.IpPermissions ?? []).SelectMany(Rule.Read).ToHashSet();
        var purpose = $"set the rules of the security group {group.GroupId}";
        if (wanted.Except(present).ToList() is { Count: > 0 } missing)
        {
            await IgnoringAsync(AwsErrors.PermissionDuplicate, AwsCalls.CallAsync(
                "ec2:AuthorizeSecurityGroupIngress",
                purpose,
                token => calls.Ec2.AuthorizeSecurityGroupIngressAsync(
                    new AuthorizeSecurityGroupIngressRequest { GroupId = group.GroupId, IpPermissions = Rule.Write(missing) }, token),
                cancellationToken)).ConfigureAwait(false);
        }

        if (present.Except(wanted).ToList() is { Count: > 0 } surplus)
        {
            await IgnoringAsync(AwsErrors.PermissionNotFound, AwsCalls.CallAsync(
                "ec2:RevokeSecurityGroupIngress",
                purpose,
                token => calls.Ec2.RevokeSecurityGroupIngressAsync(
                    new RevokeSecurityGroupIngressRequest { GroupId = group.GroupId, IpPermissions = Rule.Write(surplus) }, token),
                cancellationToken)).ConfigureAwait(false);
        }
    }

    /// <summary>Another process that sets the same rules at the same time does no harm.</summary>
    private static async Task IgnoringAsync(string code, Task call)
    {
        try
        {
            await call.ConfigureAwait(false);
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) == code)
        {
            // What was wanted is so.
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) == AwsErrors.GroupNotFound)
        {
            throw new DriverException(DriverErrorKind.Transient, error.Message, error);
        }
    }

    private enum RuleSource
    {
        Ipv4,
        Ipv6,
        PrefixList,
        Group,
    }

    /// <summary>One protocol, one range of ports, one source: what two rules are the same by.</summary>
    private sealed record Rule(string? Protocol, int? FromPort, int? ToPort, RuleSource Kind, string? Source)
    {
        public static IEnumerable<Rule> Read(IpPermission permission)
        {
            var rule = permission.IpProtocol == AllProtocols
                ? new Rule(AllProtocols, null, null, default, null)
                : new Rule(permission.IpProtocol, permission.FromPort, permission.ToPort, default, null);
            return
            [
                .. (permission.Ipv4Ranges ?? []).Select(range => rule with { Kind = RuleSource.Ipv4, Source = range.CidrIp }),
                .. (permission.Ipv6Ranges ?? []).Select(range => rule with { Kind = RuleSource.Ipv6, Source = range.CidrIpv6 }),
                .. (permission.PrefixListIds ?? []).Select(list => rule with { Kind = RuleSource.PrefixList, Source = list.Id }),
                .. (permission.UserIdGroupPairs ?? []).Select(group => rule with { Kind = RuleSource.Group, Source = group.GroupId }),
            ];
        }

        public static List<IpPermission> Write(IEnumerable<Rule> rules) => [.. rules.Select(static rule => new IpPermission
        {
            IpProtocol = rule.Protocol,
            FromPort = rule.FromPort,
            ToPort = rule.ToPort,
            Ipv4Ranges = rule.Kind == RuleSource.Ipv4 ? [new IpRange { CidrIp = rule.Source }] : null,
            Ipv6Ranges = rule.Kind == RuleSource.Ipv6 ? [new Ipv6Range { CidrIpv6 = rule.Source }] : null,
            PrefixListIds = rule.Kind == RuleSource.PrefixList ? [new PrefixListId { Id = rule.Source }] : null,
            UserIdGroupPairs = rule.Kind == RuleSource.Group ? [new UserIdGroupPair { GroupId = rule.Source }] : null,
        })];
    }
}
