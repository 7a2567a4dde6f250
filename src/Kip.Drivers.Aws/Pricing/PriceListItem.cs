using System.Globalization;
using System.Text.Json;

namespace Kip.Drivers.Aws;

/// <summary>
/// What one item of the price list says, in format <c>aws_v1</c>: a product with its attributes, and its terms, each with the price of a unit.
/// "Reading the service price list file" in AWS's documentation of billing describes it.
/// </summary>
/// <param name="InstanceType">The type.</param>
/// <param name="PricePerHour">Dollars for an hour of Linux on shared hardware, on demand.</param>
internal sealed record PriceListItem(string InstanceType, decimal PricePerHour)
{
    /// <summary>Reads an item; null when it is of something else, or has no price in dollars.</summary>
    /// <exception cref="JsonException">It is not JSON, or not all of it.</exception>
    public static PriceListItem? Read(string json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        var attributes = Member(Member(root, "product"), "attributes");
        return Text(attributes, "instanceType") is { } type && IsPlain(attributes) && Price(Member(Member(root, "terms"), "OnDemand")) is { } price
            ? new PriceListItem(type, price)
            : null;
    }

    // What the request asked for: a filter that is not known is passed over, and a wrong price is worse than none.
    private static bool IsPlain(JsonElement attributes) =>
        (Text(attributes, "operatingSystem"), Text(attributes, "tenancy"), Text(attributes, "preInstalledSw"), Text(attributes, "capacitystatus")) ==
            ("Linux", "Shared", "NA", "Used")
        && Text(attributes, "marketoption") is null or "OnDemand";

    private static decimal? Price(JsonElement terms)
    {
        foreach (var dimension in Members(terms).SelectMany(static term => Members(Member(term, "priceDimensions"))))
        {
            if (Text(dimension, "unit") is "Hrs" &&
                decimal.TryParse(Text(Member(dimension, "pricePerUnit"), "USD"), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var price) && price > 0)
            {
                return price;
            }
        }

        return null;
    }

    private static IEnumerable<JsonElement> Members(JsonElement element) =>
        element.ValueKind == JsonValueKind.Object ? element.EnumerateObject().Select(static member => member.Value) : [];

    private static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : default;

    private static string? Text(JsonElement element, string name) => Member(element, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
