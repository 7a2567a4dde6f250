using Kip.Drivers;

namespace Kip.Testing;

/// <summary>How a <see cref="SimulatedCloud"/> behaves.</summary>
public sealed record SimulatedCloudOptions
{
    /// <summary>The region; the zones of <see cref="DefaultCatalog"/> are in it.</summary>
    public string Region { get; init; } = "sim-1";

    /// <summary>What can be launched.</summary>
    public IReadOnlyList<InstanceType> Catalog { get; init; } = DefaultCatalog;

    /// <summary>The images; the first is the default.</summary>
    public IReadOnlyList<string> Images { get; init; } = ["image-default", "image-other"];

    /// <summary>How long a call takes; it takes effect half-way. Default 100 ms.</summary>
    public TimeSpan CallTime { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How an instance fares, by the launch that makes it.</summary>
    public Func<LaunchRequest, InstancePlan> Plan { get; init; } = static _ => new InstancePlan();

    /// <summary>What a pod does on its cell. The pod is the one the agent was given.</summary>
    public Func<Kubernetes.Objects.Pod, PodScript> Script { get; init; } = static _ => new PodScript();

    /// <summary>How often the instances may be listed, more than zero. Default 1 s.</summary>
    public TimeSpan ListInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long the list does not show a new instance, or shows it without its tags: to a driver that lists by tag that is the same. Default
    /// zero.
    /// </summary>
    public TimeSpan ListLag { get; init; }

    /// <summary>How old the states are that the list shows: an instance is listed as running for so long after it has ended. Default zero.</summary>
    public TimeSpan StateLag { get; init; }

    /// <summary>How long the list shows an ended instance. Default one minute.</summary>
    public TimeSpan TerminatedVisible { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Most instances at a time that have not ended, of all controllers together; null for no limit.</summary>
    public int? Quota { get; init; }

    /// <summary>How fast calls may come, by action; those that are absent have no limit. Calls beyond are throttled.</summary>
    public IReadOnlyDictionary<CloudAction, RateLimit> RateLimits { get; init; } = new Dictionary<CloudAction, RateLimit>();

    /// <summary>How fast instances may be launched, counted besides the calls; null for no limit. Launches beyond are throttled.</summary>
    public RateLimit? InstanceLimit { get; init; }

    /// <summary>Whether the driver says what the limits are (<see cref="DriverDescription.Limits"/>). Default true.</summary>
    public bool TellsLimits { get; init; } = true;

    /// <summary>Whether the cloud tells by events of its own (<see cref="IInterruptionSource"/>) too what agents are told. Default false.</summary>
    public bool TellsInterruptions { get; init; }

    /// <summary>
    /// Whether all calls and all instances that ever were are remembered. Without, <see cref="SimulatedCloud.Calls"/> is empty, and an
    /// instance is forgotten, its launch token too, once the list no longer shows it: for runs of many hours. Default true.
    /// </summary>
    public bool KeepsHistory { get; init; } = true;

    /// <summary>Asked at every call what goes wrong with it; null is nothing. Comes after <see cref="SimulatedCloud.FailNext"/>.</summary>
    public Func<CloudCall, CloudFault?>? Faults { get; init; }

    /// <summary>
    /// EC2's request limits as they are published, for <see cref="RateLimits"/>: 2 launches a second, 5 at once; 5 terminations, 100 at once;
    /// 20 lists, 100 at once.
    /// </summary>
    public static IReadOnlyDictionary<CloudAction, RateLimit> Ec2RateLimits { get; } = new Dictionary<CloudAction, RateLimit>
    {
        [CloudAction.Launch] = new(2, 5),
        [CloudAction.Terminate] = new(5, 100),
        [CloudAction.List] = new(20, 100),
    };

    /// <summary>EC2's limit of instances, for <see cref="InstanceLimit"/>: 2 a second, 1,000 at once.</summary>
    public static RateLimit Ec2InstanceLimit { get; } = new(2, 1000);

    /// <summary>Four types from 0.5 vCPU, 512 MiB to 8 vCPU, 32 GiB in zones <c>sim-1a</c> and <c>sim-1b</c>, on demand and spot.</summary>
    public static IReadOnlyList<InstanceType> DefaultCatalog { get; } =
    [
        MakeType("sim.nano", 500, 512L << 20, 0.01m),
        MakeType("sim.small", 1000, 2L << 30, 0.03m),
        MakeType("sim.medium", 2000, 8L << 30, 0.10m),
        MakeType("sim.large", 8000, 32L << 30, 0.40m),
    ];

    private static InstanceType MakeType(string name, long milliCpu, long memoryBytes, decimal price) => new()
    {
        Name = name,
        MilliCpu = milliCpu,
        MemoryBytes = memoryBytes,
        UsableMemoryBytes = memoryBytes,
        Architecture = "amd64",
        Offerings =
        [
            new Offering("sim-1a", CapacityType.OnDemand, price),
            new Offering("sim-1b", CapacityType.OnDemand, price),
            new Offering("sim-1a", CapacityType.Spot, price * 0.3m),
            new Offering("sim-1b", CapacityType.Spot, price * 0.35m),
        ],
    };
}
