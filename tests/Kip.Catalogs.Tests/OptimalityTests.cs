using Kip.Drivers;
using Kip.Sizing;
using Xunit.Abstractions;

namespace Kip.Catalogs.Tests;

/// <summary>The choice against brute force, which looks at everything a cloud offers with none of the selector's short cuts.</summary>
public sealed class OptimalityTests(ITestOutputHelper output)
{
    private const int Pods = 100_000;
    private const long MiB = 1L << 20;

    [Theory]
    [InlineData("aws", "us-east-1")]
    [InlineData("azure", "eastus")]
    [InlineData("gce", "us-central1")]
    public void First_RandomPods_IsNeverDearerThanTheOptimum(string cloud, string region)
    {
        var catalog = BuiltInCatalogs.Open(cloud).Load(region);
        var everything = Everything(catalog);
        var parts = everything.GroupBy(static offer => (offer.IsSpot, offer.Type.Architecture)).ToDictionary(static part => part.Key, static part => part.ToArray());
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var found = 0;
        for (var i = 0; i < Pods; i++)
        {
            var pod = Draw(random, everything);
            var first = InstanceSelector.First(pod.Request, catalog);
            var (exists, price) = Optimum(pod, parts.GetValueOrDefault((pod.Spot, pod.Architecture), []), catalog);
            var context = $"seed {seed}, pod {i}: {pod.Request}";
            Assert.True(exists == first is not null, $"{context}: chosen {first}, but the optimum {(exists ? "is " + price : "does not exist")}");
            Assert.True(first?.PricePerHour == price, $"{context}: chosen {first} at {first?.PricePerHour}, optimum {price}");
            found += exists ? 1 : 0;
            if (i % 1000 == 0)
            {
                var ranking = InstanceSelector.Rank(pod.Request, catalog);
                Assert.Equal(Name(first), Name(ranking.Cast<Candidate?>().FirstOrDefault()));
                Assert.True(ranking.Zip(ranking.Skip(1)).All(static pair => InOrder(pair.First, pair.Second)), context);
                Assert.Equal(exists, InstanceSelector.Explain(pod.Request, catalog).Problem is null);
            }
        }

        // Neither all nor none: a test that draws only pods that nothing fits shows nothing.
        Assert.InRange(found, Pods / 3, Pods - 1);
    }

    private static string? Name(Candidate? candidate) => candidate is { } found ? $"{found.Type.Name}/{found.Type.Gpus}/{found.Offering}" : null;

    private static bool InOrder(Candidate left, Candidate right) => (left.PricePerHour ?? decimal.MaxValue) <= (right.PricePerHour ?? decimal.MaxValue);

    private static Drawn Draw(Random random, Offer[] everything)
    {
        var milliCpu = (long)Math.Exp(random.NextDouble() * Math.Log(random.Next(8) == 0 ? 400_000 : 32_000));
        var memory = (long)(milliCpu / 1000.0 * Math.Exp((random.NextDouble() * 5) - 1.5) * (1 << 30));
        var gpus = random.Next(20) == 0 ? 1L << random.Next(4) : 0;
        var architecture = random.Next(5) == 0 ? "arm64" : "amd64";
        var zone = random.Next(4) == 0 ? everything[random.Next(everything.Length)].Zone : "";
        var pattern = random.Next(10) == 0 ? everything[random.Next(everything.Length)].Type.Name[..4] + "*" : "*";
        decimal? most = random.Next(10) == 0 ? (decimal)Math.Exp((random.NextDouble() * 8) - 5) : null;
        var spot = random.Next(3) == 0;
        var rules = new List<PlacementRule> { new("arch", new LabelRequirement("kubernetes.io/arch", LabelOperator.In, [architecture])) };
        if (zone.Length > 0)
        {
            rules.Add(new("zone", new LabelRequirement("topology.kubernetes.io/zone", LabelOperator.In, [zone])));
        }

        if (pattern != "*")
        {
            rules.Add(new("type", new LabelRequirement("node.kubernetes.io/instance-type", LabelOperator.Matches, [pattern])));
        }

        var request = new CellRequest
        {
            Pod = new ResourceRequest(milliCpu, memory, 0),
            Devices = gpus > 0 ? new Dictionary<string, long> { ["nvidia.com/gpu"] = gpus } : new Dictionary<string, long>(),
            CapacityTypes = [spot ? CapacityType.Spot : CapacityType.OnDemand],
            Rules = rules,
            AllowsPreviousGenerations = pattern != "*",
            MaxPricePerHour = most,
        };
        return new Drawn(request, milliCpu, memory + ResourceRequest.CellOverhead.MemoryBytes, gpus, architecture, zone, pattern.TrimEnd('*'), spot, most);
    }

    private static (bool Exists, decimal? Price) Optimum(Drawn pod, Offer[] everything, InstanceCatalog catalog)
    {
        var (exists, price) = (false, (decimal?)null);
        foreach (ref readonly var offer in everything.AsSpan())
        {
            if (offer.MilliCpu >= pod.MilliCpu && offer.Memory >= pod.Memory && (price is null || !(offer.Price > price)))
            {
                Consider(offer);
            }
        }

        foreach (var offer in Custom(pod, catalog))
        {
            Consider(offer);
        }

        return (exists, price);

        void Consider(Offer offer)
        {
            if (offer.IsSpot != pod.Spot || offer.Type.Architecture != pod.Architecture)
            {
                return;
            }

            var surcharge = 0m;
            if (offer.Type.BaselineMilliCpu is { } baseline && pod.MilliCpu > baseline)
            {
                if (offer.Type.BurstPricePerCpuHour is not { } burst)
                {
                    return;
                }

                surcharge = (pod.MilliCpu - baseline) / 1000m * burst;
            }

            var total = offer.Price + surcharge;
            if ((pod.Zone.Length > 0 && offer.Zone != pod.Zone)
                || !offer.Type.Name.StartsWith(pod.Prefix, StringComparison.Ordinal)
                || (pod.Gpus > 0 && !(offer.Type.Gpus is { Resource: "nvidia.com/gpu" } gpus && gpus.Count >= pod.Gpus))
                || ((offer.Type.Traits & InstanceTypeTraits.PreviousGeneration) != 0 && pod.Prefix.Length == 0)
                || (offer.Type.Traits & InstanceTypeTraits.DedicatedHostOnly) != 0
                || (pod.Most is { } most && !(total <= most)))
            {
                return;
            }

            exists = true;
            price = price is null || total < price ? total ?? price : price;
        }
    }

    // Every number of vCPUs, each with the least memory that is allowed and enough.
    private static IEnumerable<Offer> Custom(Drawn pod, InstanceCatalog catalog)
    {
        foreach (var family in catalog.CustomFamilies)
        {
            foreach (var vcpus in family.VCpus)
            {
                if (family.SharedMilliCpu is { } shared ? shared < pod.MilliCpu : vcpus * 1000L < pod.MilliCpu)
                {
                    continue;
                }

                long step = family.StepMebibytes;
                var mebibytes = Math.Max(step, pod.Memory / MiB / step * step);
                while (mebibytes < (long)family.MinMebibytesPerVCpu * vcpus || mebibytes < family.MinMebibytes || (mebibytes * MiB * 15 / 16) - (128 * MiB) < pod.Memory)
                {
                    mebibytes += step;
                }

                var name = family.SharedMilliCpu is null ? $"{family.Prefix}-{vcpus}-{mebibytes}" : $"{family.Prefix}-{mebibytes}";
                if (family.Find(name) is not { } type)
                {
                    continue;
                }

                var made = pod.Gpus == 0 ? [type] : catalog.GpuAttachments.Where(gpus => gpus.Family == family.Family).Select(gpus => gpus.AttachTo(type)).OfType<InstanceType>();
                foreach (var offer in made.SelectMany(Offers))
                {
                    yield return offer;
                }
            }
        }
    }

    private static Offer[] Everything(InstanceCatalog catalog)
    {
        var attached = catalog.GpuAttachments.SelectMany(gpus => catalog.Types.Where(type => type.Name.StartsWith(gpus.Family + "-", StringComparison.Ordinal)).Select(gpus.AttachTo)).OfType<InstanceType>();
        return [.. catalog.Types.Concat(attached).SelectMany(Offers)];
    }

    private static IEnumerable<Offer> Offers(InstanceType type) => type.Offerings.Select(offering =>
        new Offer(type, type.MilliCpu, MemorySizes.Usable(type), offering.Zone, offering.CapacityType == CapacityType.Spot, offering.PricePerHour));

    private readonly record struct Offer(InstanceType Type, long MilliCpu, long Memory, string Zone, bool IsSpot, decimal? Price);

    private sealed record Drawn(CellRequest Request, long MilliCpu, long Memory, long Gpus, string Architecture, string Zone, string Prefix, bool Spot, decimal? Most);
}
