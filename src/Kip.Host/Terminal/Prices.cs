using System.Globalization;
using Kip.Drivers;

namespace Kip.Host.Terminal;

/// <summary>How prices are written.</summary>
internal static class Prices
{
    /// <summary>Dollars per hour; <c>unknown</c> where nobody knows.</summary>
    public static string Text(decimal? price) => price is { } known ? known.ToString("0.00000", CultureInfo.InvariantCulture) : "unknown";

    /// <summary>As Kubernetes labels name it.</summary>
    public static string Name(CapacityType capacityType) => capacityType == CapacityType.Spot ? "spot" : "on-demand";
}
