using Kip.Sizing;

namespace Kip.Catalogs;

/// <summary>
/// What clouds offered when this version of Kip was made. Each price says which month it is of and whether it was derived; a driver's own
/// catalog goes before these.
/// </summary>
public static class BuiltInCatalogs
{
    /// <summary>The clouds there is a catalog of: <c>aws</c>, <c>azure</c>, <c>gce</c>.</summary>
    public static IReadOnlyList<string> Clouds { get; } = ["aws", "azure", "gce"];

    /// <summary>The catalog of one cloud, all regions.</summary>
    /// <exception cref="CatalogException">There is none of that cloud.</exception>
    public static CatalogFile Open(string cloud)
    {
        using var stream = typeof(BuiltInCatalogs).Assembly.GetManifestResourceStream($"{cloud}.catalog.gz")
            ?? throw new CatalogException($"there is no built-in catalog of {cloud}; there are {string.Join(", ", Clouds)}");
        return CatalogFile.Read(stream, $"the built-in catalog of {cloud}");
    }
}
