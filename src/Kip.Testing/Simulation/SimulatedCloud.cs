using System.Globalization;
using Kip.Agents;
using Kip.Drivers;

namespace Kip.Testing;

/// <summary>
/// A cloud in memory: instances with their agents and pods, capacities, quotas, throttling and scripted failures, in the time of a
/// <see cref="TimeProvider"/>. All state is here; drivers and connectors are only ways to it, so that a controller that is started
/// anew with fresh ones finds everything as it was. Safe to use from many threads.
/// </summary>
public sealed class SimulatedCloud : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Machine> _machines = [];
    private readonly Dictionary<string, Machine> _byId = [];
    private readonly Dictionary<string, Machine> _byToken = [];
    private readonly Dictionary<string, Machine> _byAddress = [];

    // Every machine that was ever given a pod.
    private readonly Dictionary<string, List<Machine>> _byPod = [];

    // Those that a list may still show, in the order of their launch.
    private readonly List<Machine> _listed = [];
    private readonly Dictionary<(string Type, string Zone, CapacityType CapacityType), int> _capacities = [];
    private readonly Dictionary<CloudAction, TokenBucket> _buckets = [];
    private readonly Dictionary<CloudAction, Queue<CloudFault>> _faults = [];
    private readonly List<CloudCall> _calls = [];
    private readonly List<string> _violations = [];

    /// <summary>Makes an empty cloud.</summary>
    /// <param name="clock">The time it lives in, usually a <see cref="VirtualClock"/>.</param>
    /// <param name="options">How it behaves; all defaults when null.</param>
    public SimulatedCloud(TimeProvider clock, SimulatedCloudOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        Clock = clock;
        Options = options ?? new SimulatedCloudOptions();
        foreach (var (action, limit) in Options.RateLimits)
        {
            _buckets[action] = new TokenBucket(limit, clock);
        }
    }

    /// <summary>How it behaves.</summary>
    public SimulatedCloudOptions Options { get; }

    /// <summary>All calls so far, in their order.</summary>
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

    /// <summary>All instances that ever were, the planted ones too.</summary>
    public IReadOnlyList<SimulatedInstance> Instances
    {
        get
        {
            lock (_gate)
            {
                return [.. _machines.Select(machine => new SimulatedInstance(
                    machine.ToInstance(),
                    machine.IsPlanted ? null : machine.Request.LaunchToken,
                    machine.Request.UserData,
                    machine.Agent.IsEnrolled,
                    machine.Agent.PodUid))];
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

    internal TimeProvider Clock { get; }

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
            foreach (var machine in _machines)
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
            _calls.Add(call);
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

    internal void EndCall(int call, string outcome, string? launchedId = null)
    {
        lock (_gate)
        {
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

            CheckRoom(request);
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
            _listed.RemoveAll(machine => machine.EndedAt + Options.TerminatedVisible < now);
            return [.. _listed
                .Where(machine => machine.ControllerId == controllerId && (machine.IsPlanted || machine.LaunchedAt + Options.ListLag <= now))
                .Select(machine => machine.ToInstance())];
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
        string.Create(CultureInfo.InvariantCulture, $"10.{network}.{number >> 8}.{number & 255}");

    private Machine AddMachine(LaunchRequest request, InstancePlan plan, bool planted)
    {
        var number = _machines.Count + 1;
        var tags = new Dictionary<string, string>(request.Tags, StringComparer.Ordinal);
        var machine = new Machine(
            string.Create(CultureInfo.InvariantCulture, $"i-{number:x8}"),
            MakeAddress(77, number),
            MakeAddress(78, number),
            request with { Tags = tags },
            plan,
            Clock,
            planted);
        _machines.Add(machine);
        _listed.Add(machine);
        _byId.Add(machine.Id, machine);
        _byAddress.Add(machine.Address, machine);
        return machine;
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
        var kind = (request.InstanceType, request.Zone, request.CapacityType);
        if (Options.Quota is { } quota && CountAlive(static _ => true) >= quota)
        {
            throw new DriverException(DriverErrorKind.Quota, $"The account may have {quota} instances; ask for more.");
        }

        if (_capacities.TryGetValue(kind, out var capacity)
            && CountAlive(machine => (machine.Request.InstanceType, machine.Request.Zone, machine.Request.CapacityType) == kind) >= capacity)
        {
            throw new DriverException(
                DriverErrorKind.OutOfCapacity, $"There is no {request.InstanceType} ({request.CapacityType}) left in {request.Zone}.");
        }
    }

    private int CountAlive(Func<Machine, bool> which) =>
        _machines.Count(machine => !machine.IsPlanted && machine.State != InstanceState.Terminated && which(machine));
}
