namespace Kip.Drivers.Aws;

/// <summary>
/// Types whose processors may not be used in full without end: EC2's interface says which they are, but not how much of them. The figures
/// are those of the EC2 user guide ("Key concepts for burstable performance instances") and of its price list.
/// </summary>
internal static class Burstable
{
    private const int FlexPercent = 40;

    // Percent of each vCPU, by size.
    private static readonly Dictionary<string, double> Percents = new(StringComparer.Ordinal)
    {
        ["nano"] = 5,
        ["micro"] = 10,
        ["small"] = 20,
        ["medium"] = 20,
        ["large"] = 30,
        ["xlarge"] = 40,
        ["2xlarge"] = 40,
    };

    private static readonly Dictionary<string, double> PercentsOfT2 = new(Percents, StringComparer.Ordinal) { ["xlarge"] = 22.5, ["2xlarge"] = 17 };

    // Dollars for an hour of a vCPU beyond the credits, for Linux; the same in all regions.
    private static readonly Dictionary<string, decimal> Prices = new(StringComparer.Ordinal) { ["t2"] = 0.05m, ["t3"] = 0.05m, ["t3a"] = 0.05m, ["t4g"] = 0.04m };

    /// <summary>Whether the type has processor credits, so that a launch can say what happens when they are used up.</summary>
    public static bool HasCredits(string type) => Prices.ContainsKey(Split(type).Family);

    /// <summary>Thousandths of a vCPU that may be used without end; null when that is all.</summary>
    public static long? BaselineMilliCpu(string type, int processors)
    {
        var (family, size) = Split(type);
        return family.EndsWith("-flex", StringComparison.Ordinal) ? processors * 10L * FlexPercent
            : HasCredits(type) && (family == "t2" ? PercentsOfT2 : Percents).TryGetValue(size, out var percent) ? (long)(processors * 10 * percent)
            : null;
    }

    /// <summary>Dollars for an hour of a vCPU above the baseline; null where it cannot be bought.</summary>
    public static decimal? PricePerCpuHour(string type) => Prices.TryGetValue(Split(type).Family, out var price) ? price : null;

    private static (string Family, string Size) Split(string type) =>
        type.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot ? (type[..dot], type[(dot + 1)..]) : (type, "");
}
