using System.Globalization;
using Kip.Drivers;
using Kip.Kubernetes;

namespace Kip.Sizing;

/// <summary>
/// A request taken apart into conditions with names, to say why something is excluded and what stands in the way when everything is.
/// Slow and thorough, where <see cref="InstanceSelector"/> is fast; both must say the same.
/// </summary>
internal sealed class Conditions
{
    private readonly CellRequest _request;
    private readonly InstanceCatalog _catalog;
    private readonly RefusalCache? _refusals;
    private readonly List<Condition> _all = [];
    private readonly List<InstanceType> _types;

    public Conditions(CellRequest request, InstanceCatalog catalog, RefusalCache? refusals)
    {
        _request = request;
        _catalog = catalog;
        _refusals = refusals;
        _types = [.. catalog.Types, .. CustomTypes()];
        Collect();
    }

    public IReadOnlyList<Exclusion> Excluded()
    {
        var excluded = new List<Exclusion>();
        foreach (var type in _types)
        {
            var reasons = type.Offerings.Select(offering => (Offering: offering, Broken: _all.Find(condition => !condition.Holds(type, offering)))).ToList();
            if (reasons.Count == 0)
            {
                excluded.Add(new Exclusion(type, null, "not offered in this region"));
            }
            else if (reasons.TrueForAll(reason => reason.Broken is not null))
            {
                // What every offering lacks says more than what the first one lacks.
                var common = _all.Find(condition => reasons.TrueForAll(reason => !condition.Holds(type, reason.Offering))) ?? reasons[0].Broken!;
                excluded.Add(new Exclusion(type, null, common.Reason));
            }
            else
            {
                excluded.AddRange(reasons
                    .Where(reason => reason.Broken is { IsOfRefusal: true })
                    .Select(reason => new Exclusion(type, reason.Offering, reason.Broken!.Reason)));
            }
        }

        return excluded;
    }

    public string ExplainNoFit()
    {
        var offers = _types.SelectMany(static type => type.Offerings.Select(offering => (Type: type, Offering: offering))).ToList();
        if (offers.Count == 0)
        {
            return $"the catalog of {_catalog.Region} is empty";
        }

        if (_request.InstanceType is { } name && !_types.Exists(type => type.Name == name))
        {
            return $"there is no instance type {name} in {_catalog.Region}{Near(name)}";
        }

        if (_all.Find(condition => !offers.Exists(offer => condition.Holds(offer.Type, offer.Offering))) is { } impossible)
        {
            return $"no instance type has {impossible.Asked} in {_catalog.Region}{Largest(impossible)}";
        }

        for (var first = 0; first < _all.Count; first++)
        {
            for (var second = first + 1; second < _all.Count; second++)
            {
                if (!offers.Exists(offer => _all[first].Holds(offer.Type, offer.Offering) && _all[second].Holds(offer.Type, offer.Offering)))
                {
                    return $"no instance type has both {_all[first].Asked} and {_all[second].Asked} in {_catalog.Region}; {Closest(offers)}";
                }
            }
        }

        return $"no instance type has all of these in {_catalog.Region}: {string.Join("; ", _all.Select(static condition => condition.Asked))}; {Closest(offers)}";
    }

    // What breaks the fewest conditions, and of those the cheapest.
    private string Closest(List<(InstanceType Type, Offering Offering)> offers)
    {
        var (broken, closest) = offers
            .Select(offer => (Broken: _all.Where(condition => !condition.Holds(offer.Type, offer.Offering)).ToList(), Candidate: new Candidate(offer.Type, offer.Offering, 0)))
            .OrderBy(static offer => offer.Broken.Count)
            .ThenBy(static offer => offer.Candidate, Comparer<Candidate>.Create(Candidate.Compare))
            .First();
        return $"the closest is {Describe(closest)}, but for {string.Join(" and ", broken.Select(static condition => condition.Asked))}";
    }

    private string Largest(Condition impossible)
    {
        if (impossible.Amount is not { } amount)
        {
            return "";
        }

        var largest = _types.Where(static type => type.Offerings.Count > 0).MaxBy(amount)!;
        return amount(largest) == 0
            ? ""
            : $" (in all the cell needs {_request.Total}); the largest available is {largest.Name} with {ResourceRequest.Describe(largest.MilliCpu, largest.MemoryBytes)}{(largest.Gpus is { } gpus ? $" and {gpus}" : "")}";
    }

    private string Near(string name)
    {
        var near = Spelling.Near(name, _catalog.Types.Select(static type => type.Name)).Take(3).ToList();
        return near.Count == 0 ? "" : $" (did you mean {string.Join(", ", near)}?)";
    }

    private static string Describe(Candidate candidate) => string.Create(
        CultureInfo.InvariantCulture,
        $"{candidate.Type.Name} ({ResourceRequest.Describe(candidate.Type.MilliCpu, candidate.Type.MemoryBytes)}, {WellKnownLabels.Name(candidate.Offering.CapacityType)}{(candidate.Offering.Zone.Length > 0 ? ", " + candidate.Offering.Zone : "")})");

    private IEnumerable<InstanceType> CustomTypes()
    {
        var total = _request.Total;
        foreach (var family in _catalog.CustomFamilies)
        {
            var type = _request.InstanceType is { } name ? family.Find(name) : family.Fit(total.MilliCpu, total.MemoryBytes);
            if (type is not null)
            {
                yield return type;
            }
        }

        if (_request.Devices.Count == 0)
        {
            yield break;
        }

        foreach (var type in _catalog.WithGpus)
        {
            yield return type;
        }

        foreach (var gpus in _catalog.GpuAttachments)
        {
            foreach (var family in _catalog.CustomFamilies.Where(family => family.Family == gpus.Family))
            {
                if (family.Fit(total.MilliCpu, total.MemoryBytes, gpus.MaxVCpus, gpus.MaxMemoryBytes >> 20) is { } custom && gpus.AttachTo(custom) is { } attached)
                {
                    yield return attached;
                }
            }
        }
    }

    private void Collect()
    {
        var total = _request.Total;
        if (_request.InstanceType is { } name)
        {
            Add($"another type than {name}", $"the name {name}", (type, _) => type.Name == name);
        }
        else
        {
            Add(
                "too few processors",
                $"{ResourceRequest.DescribeCpu(total.MilliCpu)}",
                (type, _) => type.MilliCpu >= total.MilliCpu,
                static type => type.MilliCpu);
            Add(
                "too little memory",
                $"{ResourceRequest.DescribeMemory(total.MemoryBytes)} of memory (with {_request.Overhead.MemoryBytes >> 20} MiB for the cell itself; the system takes a part of what a type has)",
                (type, _) => MemorySizes.Usable(type) >= total.MemoryBytes,
                static type => type.MemoryBytes);
            Add(
                "too few processors in the long run (shared core or processor credits)",
                $"{ResourceRequest.DescribeCpu(total.MilliCpu)} in the long run",
                (type, _) => Sizes.Surcharge(type, total.MilliCpu) is not null);
            Add(
                "too small a disk",
                $"a disk of {ResourceRequest.DescribeMemory(_request.DiskBytes)}",
                (type, _) => type.MaxDiskBytes == 0 || type.MaxDiskBytes >= _request.DiskBytes,
                static type => type.MaxDiskBytes);
        }

        foreach (var (resource, count) in _request.Devices.OrderBy(static device => device.Key, StringComparer.Ordinal))
        {
            Add(
                $"fewer {resource} than {count}",
                $"{resource}: {count}",
                (type, _) => Sizes.Devices(type, resource) >= count,
                type => Sizes.Devices(type, resource));
        }

        foreach (var rule in _request.Rules)
        {
            Add($"not allowed by {rule.Source}", rule.Source, (type, offering) => rule.Allows(type, offering, _catalog.Region));
        }

        Add(
            "not offered as " + string.Join(" or ", _request.CapacityTypes.Select(WellKnownLabels.Name)),
            _request.CapacitySource,
            (_, offering) => _request.CapacityTypes.Contains(offering.CapacityType));
        Add(
            "to be had on dedicated hosts only",
            "a shared host (pod.elotl.co/launch-type: dedicated takes others)",
            (type, _) => (type.Traits & InstanceTypeTraits.DedicatedHostOnly) == 0 || _request.DedicatedHost);
        Add(
            "a previous generation",
            "a current generation (pod.elotl.co/instance-type takes others)",
            (type, _) => Sizes.AllowsTraits(_request with { DedicatedHost = true }, type));
        if (_request.MaxPricePerHour is { } most)
        {
            Add(
                string.Create(CultureInfo.InvariantCulture, $"dearer than {most:0.#####} $/h, or of unknown price"),
                string.Create(CultureInfo.InvariantCulture, $"a price of at most {most:0.#####} $/h"),
                (type, offering) => offering.PricePerHour + (Sizes.Surcharge(type, total.MilliCpu) ?? 0) <= most);
        }

        if (_refusals is not null)
        {
            _all.Add(new Condition(
                "refused by the cloud a short while ago",
                "no refusal a short while ago",
                (type, offering) => _refusals.Find(type.Name, offering.Zone, offering.CapacityType) is null,
                null,
                IsOfRefusal: true));
        }
    }

    private void Add(string reason, string asked, Func<InstanceType, Offering, bool> holds, Func<InstanceType, long>? amount = null) =>
        _all.Add(new Condition(reason, asked, holds, amount, IsOfRefusal: false));

    /// <param name="Reason">Why a type that breaks it is excluded.</param>
    /// <param name="Asked">What is asked for.</param>
    /// <param name="Holds">Whether an offering has it.</param>
    /// <param name="Amount">How much of it a type has, where it is an amount.</param>
    /// <param name="IsOfRefusal">Whether it passes by itself.</param>
    private sealed record Condition(string Reason, string Asked, Func<InstanceType, Offering, bool> Holds, Func<InstanceType, long>? Amount, bool IsOfRefusal);
}
