using System.Text.Json;
using Kip.Drivers;

namespace Kip.Sizing.Compatibility;

/// <summary>
/// The file of instance types that the Go Kip takes (<c>--instance-data-path</c>): a JSON object, for each region a list of rows with
/// <c>instanceType</c>, <c>price</c>, <c>memory</c> in GiB, <c>cpu</c>, <c>gpu</c>, <c>burstable</c>, <c>baseline</c>, and since Kip for .NET
/// <c>spotPrice</c> and <c>architecture</c> too. Other members are ignored, as they always were.
/// </summary>
internal static class GoInstanceData
{
    private const long GiB = 1L << 30;

    public static InstanceCatalog Load(ReadOnlyMemory<byte> json, string source, string region)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (!document.RootElement.TryGetProperty(region, out var rows))
            {
                throw new CatalogException($"{source}: there is no region {region}; there are {string.Join(", ", document.RootElement.EnumerateObject().Select(static entry => entry.Name))}");
            }

            if (rows.ValueKind != JsonValueKind.Array)
            {
                throw new CatalogException($"{source}: {region}: must be a list, not {rows.ValueKind}");
            }

            return new InstanceCatalog(region, [.. rows.EnumerateArray().Select((row, i) => ReadRow(row, $"{source}: {region}[{i}]"))]);
        }
        catch (JsonException e)
        {
            throw new CatalogException($"{source}: is no JSON: line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}: {e.Message.Split(" LineNumber:")[0]}", e);
        }
    }

    private static InstanceType ReadRow(JsonElement row, string place)
    {
        if (row.ValueKind != JsonValueKind.Object)
        {
            throw new CatalogException($"{place}: must be an object, not {row.ValueKind}");
        }

        var burstable = row.TryGetProperty("burstable", out var flag) && flag.ValueKind == JsonValueKind.True;
        var gpus = (int)(Number(row, "gpu", place) ?? 0);
        List<Offering> offerings = [new Offering("", CapacityType.OnDemand, Price(row, "price", place))];
        if (Price(row, "spotPrice", place) is { } spot)
        {
            offerings.Add(new Offering("", CapacityType.Spot, spot));
        }

        return new InstanceType
        {
            Name = Text(row, "instanceType", place) ?? throw new CatalogException($"{place}.instanceType: is missing"),
            Architecture = Text(row, "architecture", place) ?? "amd64",
            MilliCpu = (long)(Required(row, "cpu", place) * 1000),
            BaselineMilliCpu = burstable ? (long)(Required(row, "baseline", place) * 1000) : null,
            MemoryBytes = (long)(Required(row, "memory", place) * GiB),
            Gpus = gpus > 0 ? new GpuDevices("nvidia.com/gpu", "", gpus, 0) : null,
            Offerings = offerings,
        };
    }

    // The Go Kip passes over what costs nothing: its catalogs write so what has no price.
    private static decimal? Price(JsonElement row, string name, string place) => Number(row, name, place) is > 0 and var price ? price : null;

    private static decimal Required(JsonElement row, string name, string place) => Number(row, name, place) ?? throw new CatalogException($"{place}.{name}: is missing");

    private static decimal? Number(JsonElement row, string name, string place)
    {
        if (!row.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && number is >= 0 and < 1_000_000
            ? number
            : throw new CatalogException($"{place}.{name}: {value.GetRawText()} is not a number from 0 to a million");
    }

    private static string? Text(JsonElement row, string name, string place)
    {
        if (!row.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw new CatalogException($"{place}.{name}: {value.GetRawText()} is not a text");
    }
}
