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

    /// <summary>How long the list does not show a new instance. Default zero.</summary>
    public TimeSpan ListLag { get; init; }

    /// <summary>How long the list shows an ended instance. Default one minute.</summary>
    public TimeSpan TerminatedVisible { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Most instances at a time that have not ended, of all controllers together; null for no limit.</summary>
    public int? Quota { get; init; }

    /// <summary>How fast calls may come, by action; those that are absent have no limit.</summary>
    public IReadOnlyDictionary<CloudAction, RateLimit> RateLimits { get; init; } = new Dictionary<CloudAction, RateLimit>();

    /// <summary>Asked at every call what goes wrong with it; null is nothing. Comes after <see cref="SimulatedCloud.FailNext"/>.</summary>
    public Func<CloudCall, CloudFault?>? Faults { get; init; }

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

/// <summary>A token bucket.</summary>
/// <param name="PerSecond">Calls per second in the long run, more than 0.</param>
/// <param name="Burst">Calls at once after a rest, at least 1.</param>
public sealed record RateLimit(double PerSecond, int Burst);
