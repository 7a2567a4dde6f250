using Kip.Drivers.Local.Instances;
using Kip.Drivers.Local.Host;
using Kip.Drivers.Local.Networking;
using Kip.Drivers.Local.Volumes;
using Kip.Sizing;
using Microsoft.Extensions.Logging;

namespace Kip.Drivers.Local;

/// <summary>
/// The embedded driver: a cell is a machine made of namespaces on this host, with its own containerd and agent, its own addresses on a
/// bridge, a disk of the size asked for, and the limits of its instance type. Needs root and the tools of
/// <see cref="LocalRequirements"/>, but no cloud. Cells outlive the process that launched them.
/// </summary>
public sealed partial class LocalDriver : ICellDriver
{
    private const string ImageId = "local";
    private const long MinDiskBytes = 256L << 20;
    private const int ParallelRemovals = 8;

    private readonly LocalDriverOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly Func<bool> _isRoot;
    private readonly LocalCatalog _catalog;
    private readonly InstanceStore _store;
    private readonly Ipv4Range _range;
    private readonly Bridge _bridge;
    private readonly Cgroups _cgroups;
    private readonly InstanceLauncher _launcher;
    private readonly InstanceRemover _remover;
    private readonly LocalVolumes _volumes;

    /// <summary>Makes the driver. Nothing on the machine is touched before the first launch.</summary>
    /// <exception cref="DriverException"><see cref="DriverErrorKind.InvalidConfiguration"/>: an option cannot be right.</exception>
    public LocalDriver(LocalDriverOptions options, TimeProvider timeProvider, ILogger<LocalDriver> logger)
        : this(options, timeProvider, logger, LocalCatalog.OfThisMachine(), () => Environment.IsPrivilegedProcess)
    {
    }

    internal LocalDriver(
        LocalDriverOptions options, TimeProvider timeProvider, ILogger<LocalDriver> logger, LocalCatalog catalog, Func<bool> isRoot)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options = Normalize(options);
        _timeProvider = timeProvider;
        _logger = logger;
        _catalog = catalog;
        _isRoot = isRoot;
        _range = ParseRange(options.Cidr);
        _bridge = MakeBridge(options, timeProvider);
        _cgroups = Cgroups.OfThisMachine();
        _store = new InstanceStore(options.StateDirectory, options.ControllerId, timeProvider);
        _launcher = new InstanceLauncher(options, _range, _bridge, _cgroups, timeProvider);
        _remover = new InstanceRemover(_store, _bridge, _cgroups, _volumes = new LocalVolumes(_store, timeProvider), timeProvider);
        Description = new DriverDescription("local", LocalCatalog.Region, options.ControllerId)
        {
            // Files of this machine: looking is cheap, and what is there is seen at once.
            ListInterval = TimeSpan.FromMilliseconds(10),
            ListDelay = TimeSpan.Zero,
        };
    }

    /// <inheritdoc/>
    public DriverDescription Description { get; }

    /// <summary>What <see cref="GetCatalogAsync"/> answers on this machine, without a driver.</summary>
    public static InstanceCatalog CatalogOfThisMachine() => LocalCatalog.OfThisMachine().Instances;

    /// <inheritdoc/>
    /// <remarks>Only types that are not larger than this machine. Prices are made up; what they are good for is their order.</remarks>
    public Task<InstanceCatalog> GetCatalogAsync(CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<InstanceCatalog>(cancellationToken)
            : Task.FromResult(_catalog.Instances);

    /// <inheritdoc/>
    public Task<string> ResolveImageAsync(string reference, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<string>(cancellationToken)
        : reference is "" or ImageId ? Task.FromResult(ImageId)
        : Task.FromException<string>(new DriverException(
            DriverErrorKind.NotFound, $"there is no image {reference}: local cells run on this machine's own system; leave the image empty"));

    /// <inheritdoc/>
    public async Task<Instance> LaunchAsync(LaunchRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancellationToken.ThrowIfCancellationRequested();
        var type = Validate(request);
        var id = _store.InstanceId(request.LaunchToken);
        var cell = _store.Get(id);
        if (cell.Exists || _store.IsRemembered(id))
        {
            return await FindAsync(id, cancellationToken);
        }

        LocalRequirements.Demand(_options, _isRoot());
        return await Explaining(
            async () =>
            {
                await LaunchNewAsync(request, type, id, cell, cancellationToken);
                return await FindAsync(id, cancellationToken);
            },
            "launch a cell");
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<Instance>> ListAsync(CancellationToken cancellationToken) => Explaining(
        () =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            var instances = _store.ListEnded()
                .ToDictionary(record => record.Id, record => record.ToInstance(InstanceState.Terminated, record.EndReason), StringComparer.Ordinal);
            foreach (var cell in _store.List())
            {
                cancellationToken.ThrowIfCancellationRequested();
                var (state, reason) = cell.ReadState();
                if (cell.ReadRecord() is { } record)
                {
                    instances[cell.Id] = record.ToInstance(state, reason);
                }
                else if (cell.Exists)
                {
                    // It is this controller's, as its path says, and may run: leaving it out would be a lie, failing would hide the others.
                    LogUnreadableRecord(cell.RecordFile);
                    instances[cell.Id] = _store.UnreadableRecord(cell).ToInstance(state, $"its record {cell.RecordFile} cannot be read");
                }
            }

            return Task.FromResult<IReadOnlyList<Instance>>([.. instances.Values.OrderBy(instance => instance.LaunchedAt)]);
        },
        "list the cells");

    /// <inheritdoc/>
    /// <remarks>Also removes what is left of this controller's cells that ended by themselves. When it returns, all of it is gone.</remarks>
    public async Task TerminateAsync(IReadOnlyCollection<string> instanceIds, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(instanceIds);
        cancellationToken.ThrowIfCancellationRequested();
        var cells = _store.List().Where(cell => instanceIds.Contains(cell.Id) || cell.ReadState().State == InstanceState.Terminated).ToList();
        var rubbish = _store.HasRubbish();
        if (cells.Count == 0 && !rubbish)
        {
            return;
        }

        if (!_isRoot())
        {
            throw new DriverException(DriverErrorKind.Unauthorized, "only root can end cells; run it with sudo or as root");
        }

        if (rubbish)
        {
            await Explaining(() => DeleteRubbishAsync(cancellationToken), "remove what killed processes left");
        }

        var failures = new System.Collections.Concurrent.ConcurrentBag<DriverException>();
        await Parallel.ForEachAsync(
            cells,
            new ParallelOptions { MaxDegreeOfParallelism = ParallelRemovals, CancellationToken = cancellationToken },
            async (cell, token) =>
            {
                try
                {
                    await Explaining(
                        async () =>
                        {
                            await _remover.RemoveAsync(cell, token);
                            return true;
                        },
                        $"remove cell {cell.Id}");
                    LogRemoved(cell.Id);
                }
                catch (DriverException exception)
                {
                    // The others are to go all the same.
                    failures.Add(exception);
                }
            });
        if (!failures.IsEmpty)
        {
            var first = failures.First();
            throw new DriverException(first.Kind, string.Join("; ", failures.Select(failure => failure.Message)), first);
        }
    }

    internal static Bridge MakeBridge(LocalDriverOptions options, TimeProvider timeProvider) =>
        new(options.Bridge, ParseRange(options.Cidr), Path.GetFullPath(options.StateDirectory), timeProvider);

    private static LocalDriverOptions Normalize(LocalDriverOptions options)
    {
        if (options.ControllerId.Length == 0)
        {
            throw Invalid("ControllerId is empty");
        }

        // What an interface and an nftables table can both be called.
        if (options.Bridge.Length is 0 or > 15 || !char.IsAsciiLetter(options.Bridge[0]) || !options.Bridge.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-'))
        {
            throw Invalid($"Bridge \"{options.Bridge}\" is no name for a bridge: up to 15 letters, digits, - and _, a letter first");
        }

        _ = ParseRange(options.Cidr);
        var absolute = options with
        {
            StateDirectory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.StateDirectory)),
            AgentPath = Path.GetFullPath(options.AgentPath),
            ImageArchives = [.. options.ImageArchives.Select(Path.GetFullPath)],
        };
        foreach (var path in absolute.ImageArchives.Prepend(absolute.AgentPath).Prepend(absolute.StateDirectory))
        {
            if (path.StartsWith("/run/", StringComparison.Ordinal) || path.StartsWith("/var/run/", StringComparison.Ordinal))
            {
                throw Invalid($"{path} is below /run, of which every cell has its own: put it elsewhere");
            }
        }

        return absolute;
    }

    private static Ipv4Range ParseRange(string cidr) => Ipv4Range.TryParse(cidr) is { PrefixLength: >= 8 and <= 29 } range
        ? range
        : throw Invalid($"Cidr \"{cidr}\" is no IPv4 range from /8 to /29, for example 10.213.0.0/16");

    private static DriverException Invalid(string message) => new(DriverErrorKind.InvalidConfiguration, "local driver: " + message);

    /// <summary>Turns what the file system refuses into the driver's terms.</summary>
    private static async Task<T> Explaining<T>(Func<Task<T>> action, string purpose)
    {
        try
        {
            return await action();
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new DriverException(DriverErrorKind.Unauthorized, $"cannot {purpose}: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            throw new DriverException(DriverErrorKind.Transient, $"cannot {purpose}: {exception.Message}", exception);
        }
    }

    private static string? ResolverConfiguration()
    {
        // A resolver on the host's loopback cannot be reached from a cell; systemd-resolved tells here whom it asks.
        const string own = "/etc/resolv.conf";
        const string upstream = "/run/systemd/resolve/resolv.conf";
        if (!File.Exists(own))
        {
            return null;
        }

        var text = File.ReadAllText(own);
        return text.Contains("nameserver 127.", StringComparison.Ordinal) && File.Exists(upstream) ? File.ReadAllText(upstream) : text;
    }

    private LocalType Validate(LaunchRequest request)
    {
        if (request.LaunchToken.Length != 32 || !request.LaunchToken.All(char.IsAsciiHexDigitLower))
        {
            throw Invalid("a launch token is 32 lower-case hexadecimal digits");
        }

        var type = _catalog.Find(request.InstanceType);
        if (request.Zone != LocalCatalog.Zone)
        {
            throw new DriverException(DriverErrorKind.Unsupported, $"there is no zone {request.Zone}; the local driver has {LocalCatalog.Zone}");
        }

        if (request.ImageId != ImageId)
        {
            throw new DriverException(DriverErrorKind.NotFound, $"there is no image {request.ImageId}; the local driver has {ImageId}");
        }

        if (request.DiskBytes < 0 || request.DiskBytes > type.MaxDiskBytes)
        {
            throw Invalid($"{type.Name} takes a disk of up to {type.MaxDiskBytes >> 30} GiB, not of {request.DiskBytes} bytes");
        }

        return request.Tags.TryGetValue(InstanceTags.ControllerId, out var owner) && owner == _options.ControllerId
            ? type
            : throw Invalid($"the tag {InstanceTags.ControllerId} has to be this controller's, {_options.ControllerId}");
    }

    private async Task<Instance> FindAsync(string id, CancellationToken cancellationToken) =>
        (await ListAsync(cancellationToken)).FirstOrDefault(instance => instance.Id == id)
        ?? throw new DriverException(DriverErrorKind.Transient, $"the cell {id} was removed while it was launched");

    private async Task LaunchNewAsync(LaunchRequest request, LocalType type, string id, InstanceDirectory cell, CancellationToken cancellationToken)
    {
        var start = _timeProvider.GetTimestamp();
        var (record, held) = await ReserveAsync(request, id, cell, cancellationToken);
        if (record is null || held is null)
        {
            return;
        }

        using (held)
        {
            try
            {
                var disk = Math.Max(MinDiskBytes, (request.DiskBytes + 0xFFFFF) & ~0xFFFFFL);
                await _launcher.LaunchAsync(cell, record, type, disk, cancellationToken);
            }
            catch
            {
                // Whatever went wrong, the contract is that nothing was launched.
                await _remover.RemoveLockedAsync(cell, reason: null, remember: false, CancellationToken.None);
                throw;
            }
        }

        LogLaunched(id, type.Name, record.Address, record.PodAddress, _timeProvider.GetElapsedTime(start).TotalMilliseconds);
    }

    private async Task<bool> DeleteRubbishAsync(CancellationToken cancellationToken)
    {
        using var all = await _store.LockAsync(cancellationToken);
        _store.DeleteRubbish();
        if (!_store.ListAll().Any())
        {
            all.DeleteFile();
        }

        return true;
    }

    /// <summary>Gives the cell its addresses and its directory, locked, and makes the bridge; nothing when another call was faster.</summary>
    private async Task<(InstanceRecord? Record, FileLock? Held)> ReserveAsync(
        LaunchRequest request, string id, InstanceDirectory cell, CancellationToken cancellationToken)
    {
        using var all = await _store.LockAsync(cancellationToken);
        if (cell.Exists || _store.IsRemembered(id))
        {
            return (null, null);
        }

        _store.DeleteRubbish();
        var taken = _store.ListAll().Select(other => other.ReadRecord()).OfType<InstanceRecord>()
            .SelectMany(record => new[] { record.Address, record.PodAddress }).ToHashSet(StringComparer.Ordinal);
        var (address, podAddress) = AddressPool.Allocate(_range, taken, Convert.ToUInt32(id[2..10], 16));
        var record = new InstanceRecord
        {
            Id = id,
            InstanceType = request.InstanceType,
            Zone = request.Zone,
            CapacityType = request.CapacityType,
            Tags = request.Tags,
            Address = address,
            PodAddress = podAddress,
            LaunchedAt = _timeProvider.GetUtcNow(),
        };
        var draft = _store.GetDraft(id);
        draft.Write(
            record, request.UserData, InstanceLauncher.InitScript(), InstanceLauncher.ContainerdConfiguration(), ResolverConfiguration());
        Directory.CreateDirectory("/var/lib/cni");
        var held = FileLock.TryAcquire(draft.LockFile) ?? throw new IOException($"{draft.LockFile} is locked by somebody else");
        try
        {
            _store.Publish(draft);
            await _bridge.EnsureAsync(cancellationToken);
            return (record, held);
        }
        catch
        {
            // Nothing of the cell is there yet but its directory.
            held.Dispose();
            if (_store.Discard(cell) is { } grave)
            {
                InstanceStore.Delete(grave);
            }

            if (!_store.ListAll().Any())
            {
                await _bridge.RemoveAsync(CancellationToken.None);
                all.DeleteFile();
            }

            throw;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Launched {InstanceId} ({InstanceType}) at {Address}, pod address {PodAddress}, in {Milliseconds:0} ms")]
    private partial void LogLaunched(string instanceId, string instanceType, string address, string podAddress, double milliseconds);

    [LoggerMessage(2, LogLevel.Information, "Removed {InstanceId}")]
    private partial void LogRemoved(string instanceId);

    [LoggerMessage(3, LogLevel.Warning, "The record {File} cannot be read; its cell can only be removed")]
    private partial void LogUnreadableRecord(string file);
}
