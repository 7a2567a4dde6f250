using System.Globalization;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;

namespace Kip.Testing;

/// <summary>
/// A cloud in memory: instances with their agents and pods, capacities, quotas, throttling and scripted failures, in the time of a
/// <see cref="TimeProvider"/>. All state is here; drivers and connectors are only ways to it, so that a controller that is started
/// anew with fresh ones finds everything as it was. Safe to use from many threads.
/// </summary>
public sealed class SimulatedCloud : IDisposable
{
    /// <summary>Name of the CSI driver whose volumes can be attached here.</summary>
    public const string VolumeDriver = "disk.simulated.kip.elotl.co";

    private static readonly TimeSpan SpotNotice = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();

    // All that ever were; only with KeepsHistory.
    private readonly List<Machine> _machines = [];
    private readonly Dictionary<string, Machine> _byId = [];
    private readonly Dictionary<string, Machine> _byToken = [];
    private readonly Dictionary<string, Machine> _byAddress = [];

    // Every machine that was ever given a pod.
    private readonly Dictionary<string, List<Machine>> _byPod = [];

    // Those that a list may still show, in the order of their launch.
    private readonly List<Machine> _listed = [];
    private readonly Dictionary<(string Type, string Zone, CapacityType CapacityType), int> _capacities = [];
    private readonly Dictionary<(string Type, string Zone, CapacityType CapacityType), int> _alive = [];
    private readonly PriorityQueue<Machine, DateTimeOffset> _ends = new();
    private readonly Dictionary<CloudAction, TokenBucket> _buckets = [];
    private readonly TokenBucket? _instanceBucket;
    private readonly Dictionary<CloudAction, Queue<CloudFault>> _faults = [];
    private readonly List<CloudCall> _calls = [];
    private readonly Dictionary<(CloudAction Action, string Outcome), int> _outcomes = [];
    private readonly List<string> _violations = [];
    private readonly List<(string? ControllerId, InterruptionNotice Notice)> _notices = [];
    private readonly Signal _noticed = new();
    private int _made;

    /// <summary>Makes an empty cloud.</summary>
    /// <param name="clock">The time it lives in, usually a <see cref="VirtualClock"/>.</param>
    /// <param name="options">How it behaves; all defaults when null.</param>
    public SimulatedCloud(TimeProvider clock, SimulatedCloudOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        Clock = clock;
        Options = options ?? new SimulatedCloudOptions();
        Disks = new SimulatedDisks(this);
        RouteTable = new SimulatedRoutes(this);
        foreach (var (action, limit) in Options.RateLimits)
        {
            _buckets[action] = new TokenBucket(limit, clock);
        }

        _instanceBucket = Options.InstanceLimit is { } instances ? new TokenBucket(instances, clock) : null;
        if (Options.TellsLimits && (_buckets.Count > 0 || _instanceBucket is not null))
        {
            Limits = new CallLimits
            {
                Launch = Options.RateLimits.GetValueOrDefault(CloudAction.Launch),
                Instances = Options.InstanceLimit,
                Terminate = Options.RateLimits.GetValueOrDefault(CloudAction.Terminate),
                List = Options.RateLimits.GetValueOrDefault(CloudAction.List),
            };
        }
    }

    /// <summary>How it behaves.</summary>
    public SimulatedCloudOptions Options { get; }

    /// <summary>All calls so far, in their order; see <see cref="SimulatedCloudOptions.KeepsHistory"/>.</summary>
    public IReadOnlyList<CloudCall> Calls
    {
        get
        {
            lock (_gate)
            {
                return [.. _calls];
            }
        }
    }

    /// <summary>All instances that ever were, the planted ones too; see <see cref="SimulatedCloudOptions.KeepsHistory"/>.</summary>
    public IReadOnlyList<SimulatedInstance> Instances
    {
        get
        {
            lock (_gate)
            {
                return [.. (Options.KeepsHistory ? _machines : _listed).Select(machine => new SimulatedInstance(
                    machine.ToInstance(),
                    machine.IsPlanted ? null : machine.Request.LaunchToken,
                    machine.Request.UserData,
                    machine.Agent.IsEnrolled,
                    machine.Agent.PodUid)
                {
                    ReclaimedAt = machine.ReclaimedAt,
                    PulledImages = machine.Agent.Images,
                })];
            }
        }
    }

    /// <summary>
    /// What no controller may ever cause, in words: a pod on two live instances at once, a second pod given to an agent, a launch token
    /// used for another launch, a wish to terminate what is not the controller's own. Must be empty at the end of a test.
    /// </summary>
    public IReadOnlyList<string> Violations
    {
        get
        {
            lock (_gate)
            {
                return [.. _violations];
            }
        }
    }

    /// <summary>All volumes, with the live instances that they are attached to.</summary>
    public IReadOnlyList<SimulatedVolume> Volumes => Disks.All;

    /// <summary>The instance that each routed range of addresses leads to; it may have ended.</summary>
    public IReadOnlyDictionary<string, string> Routes => RouteTable.All;

    internal TimeProvider Clock { get; }

    internal SimulatedDisks Disks { get; }

    internal SimulatedRoutes RouteTable { get; }

    /// <summary>What drivers say of its limits.</summary>
    internal CallLimits? Limits { get; }

    /// <summary>How many calls have ended.</summary>
    /// <param name="action">Of which action.</param>
    /// <param name="outcome">With which <see cref="CloudCall.Outcome"/>; any when null.</param>
    public int CountCalls(CloudAction action, string? outcome = null)
    {
        lock (_gate)
        {
            return _outcomes.Where(count => count.Key.Action == action && (outcome is null || count.Key.Outcome == outcome)).Sum(count => count.Value);
        }
    }

    /// <summary>A new driver for a controller, as a new process would have it.</summary>
    /// <param name="controllerId">The value of its controller tag.</param>
    public ICellDriver CreateDriver(string controllerId) => new SimulatedDriver(this, controllerId);

    /// <summary>A new connector to the scripted agents, as a new process would have it.</summary>
    public ICellAgentConnector CreateConnector() => new ScriptedAgentConnector(this);

    /// <summary>Puts a fault on each of the next calls of an action, after those put there before.</summary>
    /// <param name="action">The action.</param>
    /// <param name="fault">What goes wrong.</param>
    /// <param name="times">With how many calls.</param>
    public void FailNext(CloudAction action, CloudFault fault, int times = 1)
    {
        CheckFault(action, fault);
        lock (_gate)
        {
            if (!_faults.TryGetValue(action, out var faults))
            {
                _faults[action] = faults = new Queue<CloudFault>();
            }

            for (var i = 0; i < times; i++)
            {
                faults.Enqueue(fault);
            }
        }
    }

    /// <summary>Limits how many instances of a kind can be alive at a time; a launch beyond fails as out of capacity.</summary>
    /// <param name="instanceType">Name of the type.</param>
    /// <param name="zone">Zone.</param>
    /// <param name="capacityType">How it is paid for.</param>
    /// <param name="count">How many, or null for no limit.</param>
    public void SetCapacity(string instanceType, string zone, CapacityType capacityType, int? count)
    {
        lock (_gate)
        {
            if (count is { } limit)
            {
                _capacities[(instanceType, zone, capacityType)] = limit;
            }
            else
            {
                _capacities.Remove((instanceType, zone, capacityType));
            }
        }
    }

    /// <summary>Puts an instance there that no driver of the cloud has launched.</summary>
    /// <param name="tags">Its tags; without a controller's tag it must never be touched.</param>
    /// <returns>Its identifier.</returns>
    public string Plant(IReadOnlyDictionary<string, string> tags)
    {
        var type = Options.Catalog[0];
        var request = new LaunchRequest
        {
            LaunchToken = "",
            InstanceType = type.Name,
            Zone = type.Offerings[0].Zone,
            CapacityType = type.Offerings[0].CapacityType,
            ImageId = Options.Images[0],
            DiskBytes = 0,
            UserData = "",
            Tags = tags,
        };
        lock (_gate)
        {
            return AddMachine(request, new InstancePlan { AgentReadyAfter = null }, planted: true).Id;
        }
    }

    /// <summary>Makes an empty volume.</summary>
    /// <param name="zone">The zone that it can be attached in.</param>
    /// <param name="id">Its identifier; made up when null.</param>
    /// <returns>A persistent volume for it, with the node affinity that a CSI driver would give it.</returns>
    public Kubernetes.Objects.PersistentVolume AddVolume(string zone, string? id = null) => Disks.Add(zone, id);

    /// <summary>Removes a volume, as if somebody had deleted it.</summary>
    /// <param name="id">Its identifier.</param>
    public void RemoveVolume(string id) => Disks.Remove(id);

    /// <summary>Ends an instance as if its machine had failed, at once.</summary>
    /// <param name="instanceId">Its identifier.</param>
    /// <param name="reason">What the cloud says about it.</param>
    public void Kill(string instanceId, string reason = "Server.InternalError: the machine failed")
    {
        lock (_gate)
        {
            GetMachine(instanceId).Die(reason);
        }
    }

    /// <summary>Takes a spot instance back: announces it now, ends it when the notice is over.</summary>
    /// <param name="instanceId">Its identifier.</param>
    /// <param name="notice">From the announcement to the end; two minutes when null.</param>
    public void Reclaim(string instanceId, TimeSpan? notice = null)
    {
        lock (_gate)
        {
            var machine = GetMachine(instanceId);
            machine.Reclaim(notice ?? SpotNotice);
            if (machine.ReclaimedAt is { } end)
            {
                Notify(machine, end, "the cloud needs the capacity");
            }
        }
    }

    /// <summary>Says of a spot instance that it is likely to be taken back before long.</summary>
    /// <param name="instanceId">Its identifier.</param>
    public void RecommendRebalance(string instanceId)
    {
        lock (_gate)
        {
            const string message = "the spot instance is more likely to be taken back than others";
            var machine = GetMachine(instanceId);
            machine.Agent.Journal.Publish("Warning", CellRecord.RebalanceRecommended, message, null);
            Notify(machine, null, message);
        }
    }

    /// <summary>Breaks all connections to an agent; it can be reached again at once.</summary>
    /// <param name="instanceId">The instance it is on.</param>
    public void Disconnect(string instanceId) => GetMachine(instanceId).Agent.Disconnect();

    /// <summary>
    /// Makes an agent silent, as a frozen machine is: calls and streams neither answer nor end, the pod goes on. False lets it answer again.
    /// </summary>
    /// <param name="instanceId">The instance it is on.</param>
    /// <param name="hangs">Whether it is silent.</param>
    public void SetHanging(string instanceId, bool hangs) => GetMachine(instanceId).Agent.SetHanging(hangs);

    /// <summary>Restarts an agent: connections break, the pod goes on, and events are counted anew from 1.</summary>
    /// <param name="instanceId">The instance it is on.</param>
    public void RestartAgent(string instanceId) => GetMachine(instanceId).Agent.Restart();

    /// <summary>Ends all that still runs in it.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var machine in Options.KeepsHistory ? _machines : _listed)
            {
                machine.Agent.Dispose();
                machine.Dispose();
            }
        }
    }

    /// <summary>Notes a call and says what goes wrong with it.</summary>
    internal (int Call, CloudFault? Fault) BeginCall(CloudCall call)
    {
        int index;
        lock (_gate)
        {
            index = _calls.Count;
            if (Options.KeepsHistory)
            {
                _calls.Add(call);
            }

            if (_buckets.TryGetValue(call.Action, out var bucket) && !bucket.TryTake())
            {
                return (index, new CloudFault(DriverErrorKind.Throttled));
            }

            if (_faults.TryGetValue(call.Action, out var faults) && faults.TryDequeue(out var fault))
            {
                return (index, fault);
            }
        }

        // The delegate is the test's own: not under the lock.
        var scripted = Options.Faults?.Invoke(call);
        if (scripted is not null)
        {
            CheckFault(call.Action, scripted);
        }

        return (index, scripted);
    }

    internal void EndCall(CloudAction action, int call, string outcome, string? launchedId = null)
    {
        lock (_gate)
        {
            _outcomes[(action, outcome)] = _outcomes.GetValueOrDefault((action, outcome)) + 1;
            if (!Options.KeepsHistory)
            {
                return;
            }

            _calls[call] = _calls[call] with
            {
                Outcome = outcome,
                InstanceIds = launchedId is null ? _calls[call].InstanceIds : [launchedId],
            };
        }
    }

    internal Instance Launch(string controllerId, LaunchRequest request)
    {
        var plan = Options.Plan(request);
        lock (_gate)
        {
            CheckRequest(controllerId, request);
            if (_byToken.TryGetValue(request.LaunchToken, out var known))
            {
                if (!IsSameLaunch(known.Request, request))
                {
                    _violations.Add($"Launch token {request.LaunchToken} was used for another launch than that of {known.Id}.");
                    throw new DriverException(
                        DriverErrorKind.InvalidConfiguration, $"The launch token was used before, with other parameters, for {known.Id}.");
                }

                return known.ToInstance();
            }

            if (_instanceBucket is { HasToken: false })
            {
                throw new DriverException(DriverErrorKind.Throttled, "Too many instances were launched within a short time.");
            }

            CheckRoom(request);
            _instanceBucket?.TryTake();
            var machine = AddMachine(request, plan, planted: false);
            _byToken[request.LaunchToken] = machine;
            return machine.ToInstance();
        }
    }

    internal IReadOnlyList<Instance> List(string controllerId)
    {
        lock (_gate)
        {
            var now = Clock.GetUtcNow();
            var shown = new List<Instance>(_listed.Count);
            _listed.RemoveAll(machine =>
            {
                if (machine.EndedAt + Options.StateLag + Options.TerminatedVisible < now)
                {
                    Forget(machine);
                    return true;
                }

                if (machine.ControllerId == controllerId && (machine.IsPlanted || machine.LaunchedAt + Options.ListLag <= now))
                {
                    shown.Add(machine.ToInstance(Options.StateLag));
                }

                return false;
            });
            return shown;
        }
    }

    internal void Terminate(string controllerId, IReadOnlyCollection<string> instanceIds)
    {
        lock (_gate)
        {
            foreach (var id in instanceIds)
            {
                if (!_byId.TryGetValue(id, out var machine))
                {
                    continue;
                }

                if (machine.ControllerId == controllerId)
                {
                    machine.Terminate();
                }
                else
                {
                    _violations.Add($"Controller {controllerId} asked to terminate {machine.Id}, which is not its own.");
                }
            }
        }
    }

    /// <summary>The instance of a controller, or null.</summary>
    internal Machine? Find(string controllerId, string instanceId)
    {
        lock (_gate)
        {
            return _byId.GetValueOrDefault(instanceId) is { } machine && machine.ControllerId == controllerId ? machine : null;
        }
    }

    /// <summary>What drivers are told; see <see cref="IInterruptionSource"/>.</summary>
    internal async Task WatchInterruptionsAsync(string controllerId, Func<InterruptionNotice, CancellationToken, Task<bool>> hear, CancellationToken cancellationToken)
    {
        var unknown = new HashSet<InterruptionNotice>(ReferenceEqualityComparer.Instance);
        while (true)
        {
            var noticed = _noticed.Next;
            InterruptionNotice? next;
            lock (_gate)
            {
                next = _notices.Find(n => n.ControllerId == controllerId && !unknown.Contains(n.Notice)).Notice;
            }

            if (next is null)
            {
                await noticed.WaitAsync(cancellationToken);
            }
            else if (await hear(next, cancellationToken))
            {
                lock (_gate)
                {
                    _notices.RemoveAll(n => ReferenceEquals(n.Notice, next));
                }
            }
            else
            {
                unknown.Add(next);
            }
        }
    }

    private void Notify(Machine machine, DateTimeOffset? deadline, string message)
    {
        if (Options.TellsInterruptions)
        {
            _notices.Add((machine.ControllerId, new InterruptionNotice(machine.Id, deadline, message)));
            _noticed.Pulse();
        }
    }

    /// <summary>The live instance at an address, or null.</summary>
    internal Machine? FindByAddress(string address)
    {
        lock (_gate)
        {
            return _byAddress.TryGetValue(address, out var machine) && machine.HasAddress && machine.State != InstanceState.Terminated ? machine : null;
        }
    }

    /// <summary>Notes that an agent was given a pod, and looks whether the pod still runs somewhere else.</summary>
    internal void CheckOnlyHere(Machine here, string podUid)
    {
        lock (_gate)
        {
            if (!_byPod.TryGetValue(podUid, out var holders))
            {
                _byPod[podUid] = holders = [];
            }

            foreach (var other in holders)
            {
                if (other != here && other.Agent.IsPodAlive && other.State != InstanceState.Terminated)
                {
                    _violations.Add($"Pod {podUid} was given to {here.Id} while it was still on {other.Id} ({other.State}).");
                }
            }

            holders.Add(here);
        }
    }

    internal void AddViolation(string violation)
    {
        lock (_gate)
        {
            _violations.Add(violation);
        }
    }

    private static bool IsSameLaunch(LaunchRequest a, LaunchRequest b) =>
        a with { Tags = b.Tags } == b && a.Tags.Count == b.Tags.Count && a.Tags.All(tag => b.Tags.GetValueOrDefault(tag.Key) == tag.Value);

    private static void CheckFault(CloudAction action, CloudFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        if (action == CloudAction.Launch && fault is { AfterEffect: true, Kind: not (null or DriverErrorKind.Transient) })
        {
            throw new ArgumentException($"No driver may report {fault.Kind} for a launch that has taken effect.", nameof(fault));
        }
    }

    private static string MakeAddress(int network, int number) =>
        string.Create(CultureInfo.InvariantCulture, $"10.{network + (2 * (number >> 16))}.{(number >> 8) & 255}.{number & 255}");

    private Machine AddMachine(LaunchRequest request, InstancePlan plan, bool planted)
    {
        var number = ++_made;
        var tags = new Dictionary<string, string>(request.Tags, StringComparer.Ordinal);
        var machine = new Machine(
            string.Create(CultureInfo.InvariantCulture, $"i-{number:x8}"),
            MakeAddress(77, number),
            MakeAddress(78, number),
            request with { Tags = tags },
            plan,
            Clock,
            planted,
            _ends.Enqueue);
        if (Options.KeepsHistory)
        {
            _machines.Add(machine);
        }

        _listed.Add(machine);
        _byId.Add(machine.Id, machine);
        _byAddress.Add(machine.Address, machine);
        if (!planted)
        {
            machine.IsCounted = true;
            var kind = KindOf(machine.Request);
            _alive[kind] = _alive.GetValueOrDefault(kind) + 1;
        }

        return machine;
    }

    /// <summary>The list shows it no more.</summary>
    private void Forget(Machine machine)
    {
        if (Options.KeepsHistory)
        {
            return;
        }

        _byId.Remove(machine.Id);
        _byAddress.Remove(machine.Address);
        _byToken.Remove(machine.Request.LaunchToken);
        if (machine.Agent.PodUid is { } uid && _byPod.TryGetValue(uid, out var holders) && holders.Remove(machine) && holders.Count == 0)
        {
            _byPod.Remove(uid);
        }
    }

    private Machine GetMachine(string instanceId)
    {
        lock (_gate)
        {
            return _byId.GetValueOrDefault(instanceId)
                ?? throw new ArgumentException($"There is no instance {instanceId}.", nameof(instanceId));
        }
    }

    private void CheckRequest(string controllerId, LaunchRequest request)
    {
        if (request.LaunchToken.Length != 32 || !request.LaunchToken.All(char.IsAsciiHexDigitLower))
        {
            throw new DriverException(
                DriverErrorKind.InvalidConfiguration, $"The launch token '{request.LaunchToken}' is not 32 lower-case hexadecimal digits.");
        }

        if (request.Tags.GetValueOrDefault(InstanceTags.ControllerId) != controllerId)
        {
            throw new DriverException(
                DriverErrorKind.InvalidConfiguration, $"The tag {InstanceTags.ControllerId} of the launch is not {controllerId}.");
        }

        if (!Options.Images.Contains(request.ImageId))
        {
            throw new DriverException(DriverErrorKind.InvalidConfiguration, $"There is no image {request.ImageId}.");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(request.DiskBytes);
        var type = Options.Catalog.FirstOrDefault(type => type.Name == request.InstanceType)
            ?? throw new DriverException(DriverErrorKind.Unsupported, $"There is no instance type {request.InstanceType}.");
        if (!type.Offerings.Any(offering => offering.Zone == request.Zone && offering.CapacityType == request.CapacityType))
        {
            throw new DriverException(
                DriverErrorKind.Unsupported, $"{request.InstanceType} is not offered in {request.Zone} as {request.CapacityType}.");
        }
    }

    private void CheckRoom(LaunchRequest request)
    {
        CountEnded();
        var kind = KindOf(request);
        if (Options.Quota is { } quota && _alive.Values.Sum() >= quota)
        {
            throw new DriverException(DriverErrorKind.Quota, $"The account may have {quota} instances; ask for more.");
        }

        if (_capacities.TryGetValue(kind, out var capacity) && _alive.GetValueOrDefault(kind) >= capacity)
        {
            throw new DriverException(
                DriverErrorKind.OutOfCapacity, $"There is no {request.InstanceType} ({request.CapacityType}) left in {request.Zone}.");
        }
    }

    private void CountEnded()
    {
        var now = Clock.GetUtcNow();
        while (_ends.TryPeek(out var machine, out var end) && end <= now)
        {
            _ends.Dequeue();
            if (machine is { IsCounted: true, EndedAt: not null })
            {
                machine.IsCounted = false;
                _alive[KindOf(machine.Request)]--;
            }
        }
    }

    private static (string Type, string Zone, CapacityType CapacityType) KindOf(LaunchRequest request) =>
        (request.InstanceType, request.Zone, request.CapacityType);
}
