using System.Globalization;
using System.Net;
using System.Text;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Networking;

namespace Kip.Pods;

/// <summary>How the cell of a pod is bought.</summary>
public enum CellLaunchType
{
    /// <summary>An ordinary instance.</summary>
    OnDemand,

    /// <summary>A cheaper instance that the cloud may take back.</summary>
    Spot,

    /// <summary>An instance on a host of its own.</summary>
    Dedicated,
}

/// <summary>What a pod asks of its cell by annotations, all of which start with <see cref="Prefix"/>.</summary>
public sealed record PodAnnotations
{
    /// <summary>What they start with.</summary>
    public const string Prefix = "pod.elotl.co/";

    private const int MaxTotalBytes = 256 * 1024;

    private static readonly string[] Known =
    [
        "launch-type", "instance-type", "private-ip-only", "volume-size", "security-groups", "instance-profile",
        "healthcheck-healthy-timeout", "cloud-route", "image-overlay-rootfs", "task-execution-role", "task-role",
        "max-price",
    ];

    /// <summary><c>launch-type</c>: on-demand by default; instance types on dedicated hosts only (mac1) are dedicated whatever it says.</summary>
    public CellLaunchType LaunchType { get; init; }

    /// <summary>
    /// What else <c>launch-type</c> allows when that is not to be had: <c>spot,on-demand</c> or <c>on-demand,spot</c>. Null for nothing.
    /// </summary>
    public CellLaunchType? FallbackLaunchType { get; init; }

    /// <summary><c>instance-type</c>: an exact type, or a pattern with <c>*</c>; goes before what the pod requests. Null when not given.</summary>
    public string? InstanceType { get; init; }

    /// <summary><c>max-price</c>: the most a cell may cost, in dollars per hour. Null when not given.</summary>
    public decimal? MaxPricePerHour { get; init; }

    /// <summary><c>private-ip-only</c>: a cell without a public address. Null when not given: the configuration decides.</summary>
    public bool? PrivateIPOnly { get; init; }

    /// <summary><c>volume-size</c> in GiB, rounded up. Null when not given.</summary>
    public int? VolumeSizeGib { get; init; }

    /// <summary><c>security-groups</c>: instead of the configured ones, besides Kip's own. Empty when not given.</summary>
    public IReadOnlyList<string> SecurityGroups { get; init; } = [];

    /// <summary><c>instance-profile</c>: the cell's identity in its cloud (AWS: an ARN). Null when not given.</summary>
    public string? InstanceProfile { get; init; }

    /// <summary>
    /// <c>healthcheck-healthy-timeout</c>: how long a cell may be silent before its pod is failed; <see cref="Timeout.InfiniteTimeSpan"/>
    /// for any length. Null when not given.
    /// </summary>
    public TimeSpan? HealthyTimeout { get; init; }

    /// <summary><c>cloud-route</c>: ranges of addresses that the cloud routes to the cell.</summary>
    public IReadOnlyList<IPNetwork> CloudRoutes { get; init; } = [];

    /// <summary>Every annotation with the prefix, as it is: cells read some of them themselves.</summary>
    public IReadOnlyDictionary<string, string> All { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads a pod's annotations.</summary>
    /// <param name="metadata">The pod's.</param>
    /// <param name="errors">What cannot be used; the pod must not be run then, because it would run on another cell than was asked for.</param>
    /// <param name="warnings">What has no effect: annotations nobody knows, and those that exclude each other.</param>
    public static PodAnnotations Read(ObjectMeta metadata, out IReadOnlyList<FieldError> errors, out IReadOnlyList<string> warnings)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        var reader = new Reader(metadata.Annotations ?? []);
        var result = reader.Read();
        errors = reader.Errors.All;
        warnings = reader.Warnings;
        return result;
    }

    private sealed class Reader(Dictionary<string, string> all)
    {
        public FieldErrors Errors { get; } = new();

        public List<string> Warnings { get; } = [];

        public PodAnnotations Read()
        {
            CheckTotal();
            var ours = all.Where(static a => a.Key.StartsWith(Prefix, StringComparison.Ordinal)).ToDictionary();
            foreach (var name in ours.Keys.Select(static k => k[Prefix.Length..]).Where(static n => !Known.Contains(n)).Order(StringComparer.Ordinal))
            {
                var meant = Spelling.Closest(name, Known);
                Warnings.Add($"annotation {Prefix}{name} means nothing to Kip{(meant is null ? "" : $" (did you mean {Prefix}{meant}?)")}");
            }

            var instanceType = Find("instance-type")?.Trim() is { Length: > 0 } type ? type : null;
            var (launchType, fallback) = LaunchTypes(instanceType);
            return new PodAnnotations
            {
                LaunchType = launchType,
                FallbackLaunchType = fallback,
                MaxPricePerHour = MaxPrice(),
                InstanceType = instanceType,
                PrivateIPOnly = PrivateIPOnly(),
                VolumeSizeGib = VolumeSizeGib(),
                SecurityGroups = [.. (Find("security-groups") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)],
                InstanceProfile = Find("instance-profile") is { Length: > 0 } profile ? profile : null,
                HealthyTimeout = HealthyTimeout(),
                CloudRoutes = CloudRoutes(),
                All = ours,
            };
        }

        private (CellLaunchType First, CellLaunchType? Fallback) LaunchTypes(string? instanceType)
        {
            (CellLaunchType First, CellLaunchType? Fallback) asked = Find("launch-type")?.Trim().ToLowerInvariant().Replace(" ", "", StringComparison.Ordinal) switch
            {
                null or "" or "on-demand" => (CellLaunchType.OnDemand, null),
                "spot" => (CellLaunchType.Spot, null),
                "dedicated" => (CellLaunchType.Dedicated, null),
                "spot,on-demand" => (CellLaunchType.Spot, CellLaunchType.OnDemand),
                "on-demand,spot" => (CellLaunchType.OnDemand, CellLaunchType.Spot),
                _ => Unknown(),
            };

            // AWS has them on dedicated hosts only.
            if (instanceType?.StartsWith("mac1", StringComparison.OrdinalIgnoreCase) != true)
            {
                return asked;
            }

            if (asked.First == CellLaunchType.Spot || asked.Fallback is not null)
            {
                Warnings.Add($"annotation {Prefix}launch-type has no effect: {instanceType} exists on dedicated hosts only");
            }

            return (CellLaunchType.Dedicated, null);

            (CellLaunchType, CellLaunchType?) Unknown()
            {
                Errors.NotSupported(Path("launch-type"), Find("launch-type")!, "spot", "dedicated", "on-demand", "spot,on-demand", "on-demand,spot");
                return (CellLaunchType.OnDemand, null);
            }
        }

        private decimal? MaxPrice()
        {
            if (Find("max-price") is not { } text)
            {
                return null;
            }

            if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var price) && price > 0)
            {
                return price;
            }

            Errors.Invalid(Path("max-price"), text, "must be dollars per hour, greater than 0, such as 0.25");
            return null;
        }

        private bool? PrivateIPOnly()
        {
            if (Find("private-ip-only") is not { } text)
            {
                return null;
            }

            if (GoFormat.TryParseBool(text, out var value))
            {
                return value;
            }

            Errors.Invalid(Path("private-ip-only"), text, "must be true or false");
            return null;
        }

        private int? VolumeSizeGib()
        {
            if (Find("volume-size") is not { } text)
            {
                return null;
            }

            if (!Quantity.TryParse(text, out var size, out var problem))
            {
                Errors.Invalid(Path("volume-size"), text, problem);
                return null;
            }

            const long Gib = 1L << 30;
            if (size.Sign <= 0 || size > Quantity.FromBytes(int.MaxValue * Gib))
            {
                Errors.Invalid(Path("volume-size"), text, "must be greater than 0, and fewer than 2^31 GiB");
                return null;
            }

            return (int)((size.ToInt64Ceiling() - 1) / Gib) + 1;
        }

        private TimeSpan? HealthyTimeout()
        {
            if (Find("healthcheck-healthy-timeout") is not { } text)
            {
                return null;
            }

            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && double.IsFinite(seconds))
            {
                // Fractions of a second were always dropped; what is longer than a wait can be is for ever.
                return seconds < 1 || seconds > int.MaxValue / 1000 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(Math.Truncate(seconds));
            }

            Errors.Invalid(Path("healthcheck-healthy-timeout"), text, "must be a number of seconds; 0 or less for no limit");
            return null;
        }

        private List<IPNetwork> CloudRoutes()
        {
            var routes = new List<IPNetwork>();
            foreach (var text in (Find("cloud-route") ?? "").Split(default(char[]), StringSplitOptions.RemoveEmptyEntries))
            {
                if (Cidr.TryParse(text, out var route))
                {
                    routes.Add(route);
                }
                else
                {
                    Errors.Invalid(Path("cloud-route"), text, "must be ranges of addresses such as 10.9.0.0/16, with spaces between them");
                }
            }

            return routes;
        }

        private void CheckTotal()
        {
            var total = all.Sum(static a => (long)Encoding.UTF8.GetByteCount(a.Key) + Encoding.UTF8.GetByteCount(a.Value));
            if (total > MaxTotalBytes)
            {
                Errors.Invalid("metadata.annotations", total, $"must be at most {MaxTotalBytes} bytes in all");
            }
        }

        private string? Find(string name) => all.GetValueOrDefault(Prefix + name);

        private static string Path(string name) => $"metadata.annotations[{Prefix}{name}]";
    }
}
