using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Testing;

/// <summary>The driver to prove, and what the suite may do with it. Safe to use for several checks at once.</summary>
public sealed record DriverConformanceOptions
{
    /// <summary>
    /// Makes a fresh driver for a controller id, as a new process would: two drivers of one id share nothing but the cloud behind them.
    /// The suite makes up the ids and terminates all that it launched under them.
    /// </summary>
    public required Func<string, ICellDriver> CreateDriver { get; init; }

    /// <summary>Name of a small, cheap instance type.</summary>
    public required string InstanceType { get; init; }

    /// <summary>A zone it can be launched in.</summary>
    public required string Zone { get; init; }

    /// <summary>How to pay for it. Default on demand.</summary>
    public CapacityType CapacityType { get; init; }

    /// <summary>Size of the root disk in bytes. Default 1 GiB.</summary>
    public long DiskBytes { get; init; } = 1L << 30;

    /// <summary>What instances are booted with, by their cell's name; null for a valid configuration under a made-up authority.</summary>
    public Func<string, string>? UserData { get; init; }

    /// <summary>
    /// Makes an empty volume that can be attached in <see cref="Zone"/>, which the suite attaches to what it launches; whoever makes it removes it.
    /// Needed for <see cref="DriverConformance.VolumeChecks"/>; null where the driver attaches none.
    /// </summary>
    public Func<CancellationToken, Task<PersistentVolume>>? CreateVolume { get; init; }

    /// <summary>
    /// The instance that the cloud's network sends a range of addresses to, such as <c>198.18.7.0/24</c>; null when there is none, or none any more. The
    /// ranges of the suite are from 198.18.0.0/15. Needed for <see cref="DriverConformance.RouteChecks"/>; null where the driver routes nothing.
    /// </summary>
    public Func<string, CancellationToken, Task<string?>>? FindRoute { get; init; }

    /// <summary>Names of checks that this driver cannot pass, each with the reason, which is reported.</summary>
    public IReadOnlyDictionary<string, string> Skip { get; init; } = new Dictionary<string, string>();

    /// <summary>How long one call may take. Default 30 s.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an accepted launch may take; less than an instance takes to boot. Default 15 s.</summary>
    public TimeSpan LaunchTime { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a cancelled call may go on. Default 2 s.</summary>
    public TimeSpan CancellationTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long it may take until an instance is listed, has its address, runs, or has ended. Default 5 minutes.</summary>
    public TimeSpan SettleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the suite watches that something does not happen. Default 3 s.</summary>
    public TimeSpan WatchTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Pause between two looks at the list. Default 200 ms.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How many instances the suite launches at once where many are wanted. Default 10.</summary>
    public int ManyInstances { get; init; } = 10;

    /// <summary>Steps of the random sequence. Default 60.</summary>
    public int RandomSteps { get; init; } = 60;

    /// <summary>Most instances that the random sequence keeps alive. Default 6.</summary>
    public int RandomInstances { get; init; } = 6;

    /// <summary>Seed of the random sequence; null for a new one, which a failure names.</summary>
    public int? Seed { get; init; }

    /// <summary>
    /// Lets the cloud's next call of an action go wrong, where that can be had (<see cref="SimulatedCloud.FailNext"/>): the random sequence then
    /// has faults too. Null where it cannot.
    /// </summary>
    public Action<CloudAction, CloudFault>? FailNext { get; init; }

    /// <summary>
    /// How often a random sequence that fails is run again to find its shortest failing part. Each run launches what the part does. Null for 300
    /// in virtual time and none in real time.
    /// </summary>
    public int? ShrinkTries { get; init; }

    /// <summary>The time the checks wait in. Default the real one.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
