using System.Collections.Concurrent;
using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>
/// Remembers for a while what a cloud refused, so that the next pod is not sent there too. One for each driver; safe to use from many
/// threads.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class RefusalCache(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Type, string Zone, CapacityType CapacityType), Refusal> _refusals = [];

    /// <summary>How long a refusal for want of capacity counts. The Go Kip waited as long. 3 minutes.</summary>
    public static TimeSpan CapacityLifetime { get; } = TimeSpan.FromMinutes(3);

    /// <summary>How long a refusal by an account limit counts; it counts in every zone. 5 minutes.</summary>
    public static TimeSpan QuotaLifetime { get; } = TimeSpan.FromMinutes(5);

    /// <summary>How long it counts that a type is not offered in a zone. 1 hour.</summary>
    public static TimeSpan UnsupportedLifetime { get; } = TimeSpan.FromHours(1);

    internal bool IsEmpty => _refusals.IsEmpty;

    /// <summary>Remembers a refusal; errors that say nothing about the type, zone and capacity type are not remembered.</summary>
    /// <param name="kind">What the driver said.</param>
    /// <param name="type">Name of the instance type.</param>
    /// <param name="zone">The zone.</param>
    /// <param name="capacityType">How it was to be paid for.</param>
    public void Add(DriverErrorKind kind, string type, string zone, CapacityType capacityType)
    {
        var (lifetime, where) = kind switch
        {
            DriverErrorKind.OutOfCapacity => (CapacityLifetime, zone),
            DriverErrorKind.Quota => (QuotaLifetime, AnyZone),
            DriverErrorKind.Unsupported => (UnsupportedLifetime, zone),
            _ => (TimeSpan.Zero, zone),
        };
        if (lifetime > TimeSpan.Zero)
        {
            _refusals[(type, where, capacityType)] = new Refusal(kind, time.GetUtcNow() + lifetime);
        }
    }

    /// <summary>The refusal that still counts; null when there is none.</summary>
    /// <param name="type">Name of the instance type.</param>
    /// <param name="zone">The zone.</param>
    /// <param name="capacityType">How it is to be paid for.</param>
    public Refusal? Find(string type, string zone, CapacityType capacityType) =>
        IsEmpty ? null : FindExact((type, zone, capacityType)) ?? FindExact((type, AnyZone, capacityType));

    // No cloud has a zone of that name.
    private const string AnyZone = "*";

    private Refusal? FindExact((string Type, string Zone, CapacityType CapacityType) key)
    {
        if (!_refusals.TryGetValue(key, out var refusal))
        {
            return null;
        }

        if (refusal.Until > time.GetUtcNow())
        {
            return refusal;
        }

        _refusals.TryRemove(new(key, refusal));
        return null;
    }
}

/// <summary>What a cloud refused.</summary>
/// <param name="Kind">Why.</param>
/// <param name="Until">When it is asked again.</param>
public sealed record Refusal(DriverErrorKind Kind, DateTimeOffset Until);
