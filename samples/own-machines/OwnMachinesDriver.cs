using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Samples.OwnMachines;

/// <summary>
/// Cells on machines that one owns: a driver of one's own, whole. There is no cloud behind it that would know launch tokens and tags, so it
/// writes both down in one step, before it touches a machine.
/// </summary>
public sealed class OwnMachinesDriver : ICellDriver
{
    /// <summary>The one image of these machines.</summary>
    public const string Image = "default";

    private static readonly TimeSpan EndedAreKept = TimeSpan.FromHours(24); // a launch is not repeated later than that

    private readonly IReadOnlyDictionary<string, OwnMachine> _machines;
    private readonly IMachineInstaller _installer;
    private readonly Claims _claims;
    private readonly TimeProvider _time;

    /// <summary>Makes the driver. It calls nothing.</summary>
    /// <param name="controllerId">Who asks.</param>
    /// <param name="machines">The machines, of all controllers that share <paramref name="directory"/>.</param>
    /// <param name="directory">Where it is written down who has which machine.</param>
    /// <param name="installer">Sets machines up.</param>
    /// <param name="time">The clock.</param>
    public OwnMachinesDriver(string controllerId, IReadOnlyCollection<OwnMachine> machines, string directory, IMachineInstaller installer, TimeProvider time)
    {
        _machines = machines.ToDictionary(static m => m.Name);
        _installer = installer;
        _claims = new Claims(directory, time);
        _time = time;
        Description = new DriverDescription("own", "rack", controllerId) { ListDelay = TimeSpan.Zero };
    }

    /// <inheritdoc/>
    public DriverDescription Description { get; }

    /// <inheritdoc/>
    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) => cancellationToken.IsCancellationRequested
        ? Task.FromCanceled<InstanceCatalog>(cancellationToken)
        : Task.FromResult(new InstanceCatalog(Description.Region, [.. Types]));

    /// <inheritdoc/>
    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<string>(cancellationToken)
        : reference is "" or Image ? Task.FromResult(Image)
        : Task.FromException<string>(new DriverException(
            DriverErrorKind.NotFound, $"there is no image {reference}; these machines have one, {Image}"));

    /// <inheritdoc/>
    public async Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        var claim = await _claims.ChangeAsync(claims => Claim(claims, request), cancellationToken).ConfigureAwait(false);
        if (claim.State != InstanceState.Pending)
        {
            return ToInstance(claim); // the same launch, repeated
        }

        // From here on the machine is ours in any case. What fails, or is cut off, is repeated with the same token, or terminated.
        await TryAsync(() => _installer.InstallAsync(_machines[claim.Machine], request.ImageId, request.UserData, cancellationToken), "set up", claim).ConfigureAwait(false);
        return ToInstance(await MoveAsync(claim.Id, InstanceState.Running, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) =>
        [.. (await _claims.ReadAsync(cancellationToken).ConfigureAwait(false)).Where(IsOurs).Select(ToInstance)];

    /// <inheritdoc/>
    public async Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
    {
        foreach (var claim in (await _claims.ReadAsync(cancellationToken).ConfigureAwait(false))
            .Where(c => IsOurs(c) && c.State < InstanceState.Terminated && instanceIds.Contains(c.Id)))
        {
            await MoveAsync(claim.Id, InstanceState.Terminating, cancellationToken).ConfigureAwait(false);
            await TryAsync(() => _installer.WipeAsync(_machines[claim.Machine], cancellationToken), "wiped", claim).ConfigureAwait(false);
            await MoveAsync(claim.Id, InstanceState.Terminated, cancellationToken).ConfigureAwait(false);
        }
    }

    private Claim Claim(List<Claim> claims, LaunchRequest request)
    {
        claims.RemoveAll(c => c.Ended < _time.GetUtcNow() - EndedAreKept);
        if (claims.Find(c => IsOurs(c) && c.Token == request.LaunchToken) is { } made)
        {
            return made;
        }

        var alike = _machines.Values.Where(m => m.Type == request.InstanceType && m.Zone == request.Zone).ToList();
        if (alike.Count == 0 || request.CapacityType != CapacityType.OnDemand)
        {
            throw new DriverException(DriverErrorKind.Unsupported, $"there is no {request.CapacityType} {request.InstanceType} in {request.Zone}");
        }

        if (alike[0].DiskBytes < request.DiskBytes)
        {
            throw new DriverException(DriverErrorKind.Unsupported, $"{request.InstanceType} has a disk of {alike[0].DiskBytes} bytes, {request.DiskBytes} were asked for");
        }

        var taken = claims.Where(static c => c.State < InstanceState.Terminated).Select(static c => c.Machine).ToHashSet();
        var free = alike.Find(m => !taken.Contains(m.Name))
            ?? throw new DriverException(DriverErrorKind.OutOfCapacity, $"all {alike.Count} {request.InstanceType} in {request.Zone} are taken");
        var claim = new Claim(
            $"{free.Name}-{request.LaunchToken}", request.LaunchToken, free.Name, InstanceState.Pending, _time.GetUtcNow(), request.CapacityType, request.Tags);
        claims.Add(claim);
        return claim;
    }

    // Only ever forward: a launch that comes back late finds its machine taken away, and leaves it at that.
    private Task<Claim> MoveAsync(string id, InstanceState state, CancellationToken cancellationToken) => _claims.ChangeAsync(
        claims =>
        {
            var at = claims.FindIndex(c => c.Id == id);
            if (claims[at].State < state)
            {
                claims[at] = claims[at] with { State = state, Ended = state == InstanceState.Terminated ? _time.GetUtcNow() : null };
            }

            return claims[at];
        },
        cancellationToken);

    private static async Task TryAsync(Func<Task> work, string what, Claim claim)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new DriverException(DriverErrorKind.Transient, $"{claim.Machine} could not be {what}: {e.Message}", e);
        }
    }

    private IEnumerable<InstanceType> Types => _machines.Values.GroupBy(static m => m.Type).Select(static kind => new InstanceType
    {
        Name = kind.Key,
        MilliCpu = kind.First().MilliCpu,
        MemoryBytes = kind.First().MemoryBytes,
        MaxDiskBytes = kind.First().DiskBytes,
        Architecture = "amd64",
        Offerings = [.. kind.Select(static m => m.Zone).Distinct().Select(static zone => new Offering(zone, CapacityType.OnDemand, null))],
    });

    private bool IsOurs(Claim claim) => claim.Tags[InstanceTags.ControllerId] == Description.ControllerId;

    private Instance ToInstance(Claim claim)
    {
        var machine = _machines[claim.Machine];
        return new Instance
        {
            Id = claim.Id,
            State = claim.State,
            InstanceType = machine.Type,
            Zone = machine.Zone,
            CapacityType = claim.CapacityType,
            Address = machine.Address,
            Tags = claim.Tags,
            LaunchedAt = claim.Since,
        };
    }
}
