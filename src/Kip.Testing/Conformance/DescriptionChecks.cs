using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>What a driver says about itself: description, catalog, images.</summary>
internal static class DescriptionChecks
{
    public static IEnumerable<DriverCheck> All { get; } =
    [
        DriverConformance.Make("Description_Always_IsConstantAndComplete", "The description is constant, names cloud and region, and carries the controller id.", DescribeAsync),
        DriverConformance.Make("Catalog_Always_IsComplete", "Types have unique names, positive sizes, an architecture, and offerings with zone and sane price.", ReadCatalogAsync),
        DriverConformance.Make("Catalog_Always_OffersWhatTheSuiteLaunches", "The instance type and zone given to the suite are in the catalog.", FindInCatalogAsync),
        DriverConformance.Make("ResolveImage_Default_IsSomething", "An empty reference resolves to the driver's default image, each time to the same.", ResolveDefaultAsync),
        DriverConformance.Make("ResolveImage_Unknown_IsNotFound", "A reference to no image fails as NotFound.", ResolveUnknownAsync),
    ];

    private static Task DescribeAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var description = driver.Description;
        Check(
            description.Name.Length is > 0 and <= 32 && description.Name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'),
            Rules.Description, "a name of up to 32 lower-case letters, digits and dashes", $"'{description.Name}'");
        Check(!string.IsNullOrWhiteSpace(description.Region), Rules.Description, "a region", $"'{description.Region}'");
        Check(description.ControllerId == context.Controller(), Rules.Description, $"controller id {context.Controller()}", description.ControllerId);
        Check(description.ListInterval > TimeSpan.Zero, Rules.Description, "a list interval of more than zero", $"{description.ListInterval}");
        Check(driver.Description == description, Rules.DescriptionConstant, $"{description} again", $"{driver.Description}");
        return Task.CompletedTask;
    }

    private static async Task ReadCatalogAsync(CheckContext context)
    {
        var catalog = await ReadAsync(context);
        Check(catalog.Count > 0, Rules.Catalog, "at least one instance type", "none");
        foreach (var type in catalog)
        {
            Check(!string.IsNullOrWhiteSpace(type.Name), Rules.Catalog, "a name for every type", $"{type}");
            Check(catalog.Count(other => other.Name == type.Name) == 1, Rules.Catalog, $"{type.Name} once", "it is there more than once");
            Check(type is { MilliCpu: > 0, MemoryBytes: > 0, MaxDiskBytes: >= 0 }, Rules.Catalog, $"positive sizes of {type.Name}", $"{type}");
            Check(type.Architecture is "amd64" or "arm64", Rules.Catalog, $"amd64 or arm64 for {type.Name}", $"'{type.Architecture}'");
            Check(type.Offerings.Count > 0, Rules.Catalog, $"at least one offering of {type.Name}", "none: it cannot be launched");
            foreach (var offering in type.Offerings)
            {
                Check(!string.IsNullOrWhiteSpace(offering.Zone), Rules.Catalog, $"a zone for every offering of {type.Name}", $"{offering}");
                Check(offering.PricePerHour is null or > 0, Rules.Price, $"a positive price of {type.Name}, or null", $"{offering}");
                Check(
                    type.Offerings.Count(other => (other.Zone, other.CapacityType) == (offering.Zone, offering.CapacityType)) == 1,
                    Rules.Catalog, $"one offering of {type.Name} per zone and capacity type", $"several of {offering}");
            }
        }
    }

    private static async Task FindInCatalogAsync(CheckContext context)
    {
        var (name, zone, capacityType) = (context.Options.InstanceType, context.Options.Zone, context.Options.CapacityType);
        var type = (await ReadAsync(context)).FirstOrDefault(type => type.Name == name);
        Check(type is not null, Rules.Catalog, $"{name} in the catalog", "it is not there");
        Check(
            type!.Offerings.Any(offering => offering.Zone == zone && offering.CapacityType == capacityType),
            Rules.Catalog, $"{name} offered in {zone} as {capacityType}", string.Join(", ", type.Offerings));
    }

    private static async Task ResolveDefaultAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var first = await ResolveAsync();
        var second = await ResolveAsync();
        Check(first.Length > 0, Rules.ResolveImage, "an image identifier", "an empty text");
        Check(first == second, Rules.ResolveImage, $"{first} again", second);

        Task<string> ResolveAsync() => context.CallAsync("ResolveImageAsync(\"\")", Rules.ResolveImage, token => driver.ResolveImageAsync("", token));
    }

    private static async Task ResolveUnknownAsync(CheckContext context)
    {
        var driver = context.MakeDriver();
        var reference = $"no-such-image-{Guid.NewGuid():n}";
        var error = await context.FailAsync(
            $"ResolveImageAsync(\"{reference}\")", Rules.ResolveImage, "NotFound", token => driver.ResolveImageAsync(reference, token));
        Check(error.Kind == DriverErrorKind.NotFound, Rules.ResolveImage, "NotFound", $"{error.Kind}: {error.Message}");
    }

    private static async Task<IReadOnlyList<InstanceType>> ReadAsync(CheckContext context) =>
        (await context.CallAsync("GetCatalogAsync", Rules.Catalog, context.MakeDriver().GetCatalogAsync)).Types;
}
