using System.Net;
using Amazon.EC2.Model;
using Kip.Drivers.Aws.Sdk;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Drivers.Aws;

/// <summary>
/// Cells as EC2 instances. A launch is one call, whose token EC2 remembers; the list is one call for all cells, up to 1,000 on a page.
/// What the driver needs besides, it finds or makes when it is first used: the network, its subnets, a security group of its own.
/// </summary>
public sealed partial class AwsDriver : ICellDriver, IRegistryLogins, IInterruptionSource, IDisposable
{
    private const int InstancesOnOnePage = 1000;
    private const int TerminatedAtOnce = 100;
    private const int MaxControllerId = 200;
    private const int MaxExtraGroups = 4;

    private readonly AwsDriverOptions _options;
    private readonly ILogger _logger;
    private readonly AwsCalls _calls;
    private readonly AwsNetworkReader _network;
    private readonly AwsImages _images;
    private readonly AwsPrices _prices;
    private readonly AwsCatalog _catalog;
    private readonly EcrLogins _logins;
    private readonly AwsVolumes _volumes;
    private readonly OwnInstances _own;
    private readonly AwsInterruptions? _interruptions;

    /// <summary>Makes the driver. Nothing is called before the first use.</summary>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.InvalidConfiguration"/>: an option cannot be right.</exception>
    public AwsDriver(AwsDriverOptions options, TimeProvider timeProvider, ILogger<AwsDriver> logger)
        : this(options, timeProvider, logger, () => HttpClients.MakeHandler(options.InsecureTlsSkipVerify))
    {
    }

    internal AwsDriver(AwsDriverOptions options, TimeProvider timeProvider, ILogger<AwsDriver> logger, Func<HttpMessageHandler> makeHandler)
    {
        ArgumentNullException.ThrowIfNull(options);
        Validate(options);
        _options = options;
        _logger = logger;
        Description = new DriverDescription("aws", options.Region, options.ControllerId)
        {
            // The private address is in the answer to the launch: to wait for a change by listing is rare.
            ListInterval = TimeSpan.FromSeconds(2),
            ListDelay = TimeSpan.FromMinutes(1),
            InterruptionNotices = new Uri("http://169.254.169.254"),
            HasDedicatedHosts = true,
            Limits = options.CallLimits,
        };
        _calls = new AwsCalls(options, makeHandler);
        _network = new AwsNetworkReader(_calls, options, timeProvider);
        _images = new AwsImages(_calls, options, timeProvider);
        _prices = new AwsPrices(_calls, options, timeProvider, logger);
        _catalog = new AwsCatalog(_calls, options, _prices, timeProvider);
        _logins = new EcrLogins(_calls, options, timeProvider, logger);
        _volumes = new AwsVolumes(_calls, timeProvider);
        _own = new OwnInstances(timeProvider, Description.ListDelay);
        _interruptions = _calls.Sqs is { } sqs ? new AwsInterruptions(options.InterruptionQueue!, sqs, timeProvider, logger) : null;
    }

    /// <inheritdoc/>
    public DriverDescription Description { get; }

    /// <inheritdoc/>
    /// <remarks>
    /// Offers the zones that cells have a subnet in. Prices at the spot market are of now; those on demand are of AWS's price list, read anew
    /// twice a day, or from <see cref="AwsDriverOptions.PriceList"/> as long as that cannot be had.
    /// </remarks>
    public async Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken)
    {
        var network = await _network.GetAsync(cancellationToken).ConfigureAwait(false);
        return await _catalog.ReadAsync(network.Subnets.Keys, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>References are written as in <see cref="AwsDriverOptions.Image"/>.</remarks>
    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        return cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<string>(cancellationToken)
            : _images.ResolveAsync(reference, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancellationToken.ThrowIfCancellationRequested();
        Validate(request);
        var network = await _network.GetAsync(cancellationToken).ConfigureAwait(false);
        if (!network.Subnets.TryGetValue(request.Zone, out var subnet))
        {
            throw new DriverException(
                DriverErrorKind.Unsupported,
                $"cells have no subnet in the zone {request.Zone} of {network.VpcId}; there are subnets in {string.Join(", ", network.Subnets.Keys.Order(StringComparer.Ordinal))}");
        }

        var image = await _images.ChooseAsync(request.ImageId, request.InstanceType, _catalog, cancellationToken).ConfigureAwait(false);
        var launched = await RunAsync(AwsLaunch.MakeRequest(request, _options, network, subnet, image), request, cancellationToken).ConfigureAwait(false);
        _own.Add(launched.Id);
        LogLaunched(launched.Id, launched.InstanceType, launched.Zone, subnet.Id, launched.Address);
        return launched;
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken)
    {
        var found = await DescribeAsync("list the cells", cancellationToken).ConfigureAwait(false);
        _own.Replace(found);
        return found;
    }

    /// <inheritdoc/>
    public async Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(instanceIds);
        cancellationToken.ThrowIfCancellationRequested();
        List<DriverException> failures = [];
        foreach (var ids in instanceIds.Distinct(StringComparer.Ordinal).Chunk(TerminatedAtOnce))
        {
            try
            {
                await TerminateOwnAsync(ids, failures, cancellationToken).ConfigureAwait(false);
            }
            catch (DriverException failure)
            {
                // The others are to go all the same.
                failures.Add(failure);
            }
        }

        if (failures.Count > 0)
        {
            throw failures.Count == 1
                ? failures[0]
                : new DriverException(failures[0].Kind, string.Join("; ", failures.Select(static failure => failure.Message)), failures[0]);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Knows the private registries of Elastic Container Registry in all regions, and the public one.</remarks>
    public Task<RegistryLogin?> GetRegistryLoginAsync(string registry, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(registry);
        return _logins.GetAsync(registry, cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>Without <see cref="AwsDriverOptions.InterruptionQueue"/> there is nothing to tell.</remarks>
    public Task WatchInterruptionsAsync(Func<InterruptionNotice, CancellationToken, Task<bool>> hear, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(hear);
        return _interruptions?.WatchAsync(hear, cancellationToken) ?? new TaskCompletionSource().Task.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Looks whether cells can be launched: credentials, network, image, and each permission by a dry run. Changes nothing. What cannot be
    /// looked at because something before it failed is left out.
    /// </summary>
    public Task<IReadOnlyList<AwsCheck>> CheckAsync(CancellationToken cancellationToken) =>
        new AwsDoctor(_calls, _options, _network, _images, _logins, _prices).CheckAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _logins.Dispose();
        _prices.Dispose();
        _calls.Dispose();
    }

    private static void Validate(AwsDriverOptions options)
    {
        Demand(options.ControllerId.Length is > 0 and <= MaxControllerId, $"the controller id has to have 1 to {MaxControllerId} characters");
        Demand(
            options.Region.Length > 0 && options.Region.All(static letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-'),
            $"\"{options.Region}\" is not the name of a region, such as us-east-1");
        Demand(options.EndpointUrl is null or { IsAbsoluteUri: true, Scheme: "http" or "https" }, $"the endpoint {options.EndpointUrl} has to begin with http:// or https://");
        Demand(
            options.InterruptionQueue is null or { IsAbsoluteUri: true, Scheme: "http" or "https", AbsolutePath.Length: > 1 },
            $"{options.InterruptionQueue} is not the URL of a queue, such as https://sqs.us-east-1.amazonaws.com/123456789012/kip");
        Demand(
            options.ExtraSecurityGroupIds.Count <= MaxExtraGroups,
            $"there are {options.ExtraSecurityGroupIds.Count} extra security groups; a network interface takes {MaxExtraGroups} besides Kip's own");
        foreach (var range in options.ExtraCidrs)
        {
            Demand(IsIPv4Range(range), $"\"{range}\" is no IPv4 range, such as 10.0.0.0/8");
        }

        Demand(
            options.AgentUrl is null || options.AgentSha256 is { Length: 64 } sum && sum.All(char.IsAsciiHexDigit),
            "the agent's download needs its SHA-256, 64 hexadecimal digits: cells run nothing whose sum they do not know");
    }

    private static bool IsIPv4Range(string text) =>
        IPNetwork.TryParse(text, out var range) && range.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;

    private static void Demand(bool holds, string problem)
    {
        if (!holds)
        {
            throw new DriverException(DriverErrorKind.InvalidConfiguration, "AWS driver: " + problem);
        }
    }

    private void Validate(LaunchRequest request)
    {
        Demand(request.LaunchToken is { Length: > 0 and <= 64 }, "a launch token has up to 64 characters");
        Demand(request.DiskBytes is >= 0 and <= AwsCatalog.MaxDiskBytes, $"a root disk has up to {AwsCatalog.MaxDiskBytes >> 40} TiB, not {request.DiskBytes} bytes");
        Demand(
            request.Tags.TryGetValue(InstanceTags.ControllerId, out var owner) && owner == _options.ControllerId,
            $"the tag {InstanceTags.ControllerId} has to be this controller's, {_options.ControllerId}");
        if (request.Options is { } pod)
        {
            Validate(pod);
        }
    }

    private void Validate(LaunchOptions pod)
    {
        Demand(
            pod.SecurityGroups.Count <= MaxExtraGroups,
            $"the pod names {pod.SecurityGroups.Count} security groups; a network interface takes {MaxExtraGroups} besides Kip's own: name fewer");
        foreach (var group in pod.SecurityGroups)
        {
            Demand(group.StartsWith("sg-", StringComparison.Ordinal), $"the pod's security group \"{group}\" is not an id, such as sg-0123456789abcdef0");
        }

        foreach (var range in pod.Routes)
        {
            Demand(IsIPv4Range(range), $"the pod's cloud-route \"{range}\" is no IPv4 range, such as 10.9.0.0/16");
        }

        Demand(
            pod.PrivateAddressOnly != true || !_options.ConnectToPublicAddress,
            "the pod wants no public address, but by that the controller reaches its cells: run the controller inside of the network, or let the pod have one");
    }

    private async Task<Instance> RunAsync(RunInstancesRequest run, LaunchRequest request, CancellationToken cancellationToken)
    {
        var purpose = $"launch a {request.InstanceType} in {request.Zone}{(request.CapacityType == CapacityType.Spot ? " at the spot market" : "")}";
        try
        {
            var response = await AwsCalls.CallAsync("ec2:RunInstances", purpose, token => _calls.Ec2.RunInstancesAsync(run, token), cancellationToken).ConfigureAwait(false);
            return (response.Reservation?.Instances ?? []).Select(Map).OfType<Instance>().FirstOrDefault()
                ?? throw new DriverException(DriverErrorKind.Transient, $"cannot {purpose}: EC2 accepted it, but did not say what it has launched");
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) is AwsErrors.IdempotentParameterMismatch or AwsErrors.IdempotentInstanceTerminated)
        {
            // Launched before, with an image or a configuration that has changed since, or already over.
            var found = await DescribeAsync("look for what was launched before", cancellationToken, Ec2Filter.On("client-token", request.LaunchToken)).ConfigureAwait(false);
            return found.Count > 0 ? found[0] : throw new DriverException(
                AwsErrors.CodeOf(error) == AwsErrors.IdempotentInstanceTerminated ? DriverErrorKind.NotFound : DriverErrorKind.Transient,
                $"cannot {purpose}: it was launched before, but EC2 does not list the instance",
                error);
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) is AwsErrors.GroupNotFound or AwsErrors.SubnetNotFound)
        {
            if (request.Options is { SecurityGroups: { Count: > 0 } groups })
            {
                var network = await _network.GetAsync(cancellationToken).ConfigureAwait(false);
                await new AwsSecurityGroup(_calls, _options).CheckAsync(network.VpcId, groups, "check the pod's security groups", cancellationToken).ConfigureAwait(false);
            }

            // All of it was there when the network was read: it is new and not known everywhere yet, or somebody has deleted it.
            _network.Forget();
            throw new DriverException(DriverErrorKind.Transient, error.Message, error);
        }
        catch (DriverException error) when (AwsErrors.CodeOf(error) is AwsErrors.SubnetFull)
        {
            // Another subnet of the zone may have more room.
            _network.Forget();
            throw;
        }
    }

    private Instance? Map(Amazon.EC2.Model.Instance instance) => AwsInstances.Map(instance, _options.ConnectToPublicAddress);

    /// <summary>This controller's instances, and of them those that the filters let through.</summary>
    private async Task<List<Instance>> DescribeAsync(string purpose, CancellationToken cancellationToken, params IEnumerable<Filter> filters)
    {
        var found = await AwsCalls.PageAsync(
            "ec2:DescribeInstances",
            purpose,
            _calls.Ec2.Paginators.DescribeInstances(new DescribeInstancesRequest
            {
                MaxResults = InstancesOnOnePage,
                Filters = [Ec2Filter.On("tag:" + InstanceTags.ControllerId, _options.ControllerId), .. filters],
            }).Responses,
            static response => response.Reservations?.SelectMany(static reservation => reservation.Instances ?? []),
            cancellationToken).ConfigureAwait(false);
        return [.. found.Select(Map).OfType<Instance>().DistinctBy(static instance => instance.Id)];
    }

    private async Task TerminateOwnAsync(string[] ids, List<DriverException> failures, CancellationToken cancellationToken)
    {
        var own = ids.Where(_own.Contains).ToList();
        if (own.Count < ids.Length)
        {
            // What was launched by another process: EC2 says whose it is.
            var found = await DescribeAsync("look whose the instances are", cancellationToken, Ec2Filter.On("instance-id", ids.Except(own))).ConfigureAwait(false);
            own.AddRange(found.Where(static instance => instance.State != InstanceState.Terminated).Select(static instance => instance.Id));
        }

        if (own.Count == 0)
        {
            return;
        }

        try
        {
            await TerminateNowAsync(own, cancellationToken).ConfigureAwait(false);
        }
        catch (DriverException error) when (!error.IsRetryable && own.Count > 1)
        {
            // EC2 refuses all for one that is gone or protected: the others are to go all the same.
            foreach (var id in own)
            {
                try
                {
                    await TerminateNowAsync([id], cancellationToken).ConfigureAwait(false);
                }
                catch (DriverException failure)
                {
                    failures.Add(failure);
                }
            }
        }
    }

    private async Task TerminateNowAsync(List<string> ids, CancellationToken cancellationToken)
    {
        try
        {
            await AwsCalls.CallAsync(
                "ec2:TerminateInstances",
                $"terminate {string.Join(", ", ids)}",
                token => _calls.Ec2.TerminateInstancesAsync(new TerminateInstancesRequest { InstanceIds = ids }, token),
                cancellationToken).ConfigureAwait(false);
            LogTerminated(string.Join(", ", ids));
        }
        catch (DriverException error) when (ids.Count == 1 && AwsErrors.CodeOf(error) is AwsErrors.InstanceNotFound or AwsErrors.InstanceMalformed)
        {
            // Gone.
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Launched {InstanceId} ({InstanceType}) in {Zone}, {SubnetId}, at {Address}")]
    private partial void LogLaunched(string instanceId, string instanceType, string zone, string subnetId, string? address);

    [LoggerMessage(2, LogLevel.Information, "Terminated {InstanceIds}")]
    private partial void LogTerminated(string instanceIds);
}
