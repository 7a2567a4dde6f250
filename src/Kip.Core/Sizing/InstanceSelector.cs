using System.Runtime.InteropServices;
using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>Finds the cells that fit, cheapest first.</summary>
public static class InstanceSelector
{
    /// <summary>The first of <see cref="Rank"/> without making the rest; null when nothing fits.</summary>
    /// <param name="request">What the cell must be.</param>
    /// <param name="catalog">What the cloud offers.</param>
    /// <param name="refusals">What the cloud refused a short while ago, which is passed over; null for nothing.</param>
    public static Candidate? First(CellRequest request, InstanceCatalog catalog, RefusalCache? refusals = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(catalog);
        var search = new Search(request, catalog, refusals);
        foreach (var capacityType in request.CapacityTypes)
        {
            if (search.First(capacityType) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>
    /// All candidates that fit: by the order of <see cref="CellRequest.CapacityTypes"/>, then cheapest first, those without a price last.
    /// Ties go to the least processors, memory and GPUs, then by name and zone, so that the order is always the same.
    /// </summary>
    /// <param name="request">What the cell must be.</param>
    /// <param name="catalog">What the cloud offers.</param>
    /// <param name="refusals">What the cloud refused a short while ago, which is passed over; null for nothing.</param>
    public static IReadOnlyList<Candidate> Rank(CellRequest request, InstanceCatalog catalog, RefusalCache? refusals = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(catalog);
        var ranking = new List<Candidate>();
        var search = new Search(request, catalog, refusals);
        foreach (var capacityType in request.CapacityTypes)
        {
            search.AddAll(capacityType, ranking);
        }

        return ranking;
    }

    /// <summary>Whether a cell that is there already would do; null when it would not. What the cloud refuses now does not matter.</summary>
    /// <param name="request">What the cell must be.</param>
    /// <param name="catalog">What the cloud offers.</param>
    /// <param name="type">The cell's type.</param>
    /// <param name="offering">Where it is and how it is paid for.</param>
    internal static Candidate? Fit(CellRequest request, InstanceCatalog catalog, InstanceType type, Offering offering) =>
        request.CapacityTypes.Contains(offering.CapacityType) ? new Search(request, catalog, null).Fit(new Listing(type, [offering])) : null;

    /// <summary>The ranking, and why everything else is not in it. For people; it looks at every type in every way.</summary>
    /// <param name="request">What the cell must be.</param>
    /// <param name="catalog">What the cloud offers.</param>
    /// <param name="refusals">What the cloud refused a short while ago, which is passed over; null for nothing.</param>
    public static Selection Explain(CellRequest request, InstanceCatalog catalog, RefusalCache? refusals = null)
    {
        var ranking = Rank(request, catalog, refusals);
        var conditions = new Conditions(request, catalog, refusals);
        return new Selection(ranking, conditions.Excluded(), ranking.Count == 0 ? conditions.ExplainNoFit() : null);
    }

    /// <summary>One search: what of the request is needed again and again, worked out once.</summary>
    private readonly ref struct Search
    {
        private readonly CellRequest _request;
        private readonly InstanceCatalog _catalog;
        private readonly RefusalCache? _refusals;
        private readonly long _milliCpu;
        private readonly long _memoryBytes;
        private readonly long _diskBytes;

        public Search(CellRequest request, InstanceCatalog catalog, RefusalCache? refusals)
        {
            _request = request;
            _catalog = catalog;
            _refusals = refusals is { IsEmpty: false } ? refusals : null;
            // A type that the pod names need not have what the pod asks for.
            if (request.InstanceType is null)
            {
                var total = request.Total;
                _milliCpu = total.MilliCpu;
                _memoryBytes = total.MemoryBytes;
                _diskBytes = request.DiskBytes;
            }
        }

        public Candidate? First(CapacityType capacityType)
        {
            Candidate? best = null;
            foreach (ref readonly var listing in _catalog.Listings(capacityType))
            {
                if (best is { PricePerHour: { } known } && (listing.First.Offering.PricePerHour ?? decimal.MaxValue) > known)
                {
                    break;
                }

                if (!MayFit(listing) || Surcharge(listing.Type) is not { } surcharge || !IsTypeAllowed(listing.Type, listing.Offerings[0], surcharge))
                {
                    continue;
                }

                foreach (var offering in listing.Offerings)
                {
                    if (IsOfferingAllowed(listing.Type, offering))
                    {
                        var candidate = new Candidate(listing.Type, offering, surcharge);
                        if (best is not { } other || Candidate.Compare(candidate, other) < 0)
                        {
                            best = candidate;
                        }

                        break;
                    }
                }
            }

            if (_catalog.CustomFamilies.Count > 0)
            {
                var custom = new List<Candidate>();
                AddCustom(capacityType, custom);
                foreach (var candidate in custom)
                {
                    if (best is not { } other || Candidate.Compare(candidate, other) < 0)
                    {
                        best = candidate;
                    }
                }
            }

            return best;
        }

        public Candidate? Fit(in Listing listing) =>
            MayFit(listing)
            && Surcharge(listing.Type) is { } surcharge
            && IsTypeAllowed(listing.Type, listing.Offerings[0], surcharge)
            && IsOfferingAllowed(listing.Type, listing.Offerings[0])
                ? new Candidate(listing.Type, listing.Offerings[0], surcharge)
                : null;

        public void AddAll(CapacityType capacityType, List<Candidate> ranking)
        {
            // The listings are in order already; only what costs more for this pod than its list price has to find its place.
            var outOfOrder = new List<Candidate>();
            var begin = ranking.Count;
            foreach (ref readonly var listing in _catalog.Listings(capacityType))
            {
                if (!MayFit(listing) || Surcharge(listing.Type) is not { } surcharge || !IsTypeAllowed(listing.Type, listing.Offerings[0], surcharge))
                {
                    continue;
                }

                foreach (var offering in listing.Offerings)
                {
                    if (IsOfferingAllowed(listing.Type, offering))
                    {
                        (surcharge == 0 ? ranking : outOfOrder).Add(new Candidate(listing.Type, offering, surcharge));
                    }
                }
            }

            AddCustom(capacityType, outOfOrder);
            if (outOfOrder.Count > 0)
            {
                outOfOrder.Sort(Candidate.Compare);
                Merge(ranking, begin, outOfOrder);
            }
        }

        // From the end, in place: both are in order.
        private static void Merge(List<Candidate> ranking, int begin, List<Candidate> added)
        {
            var left = ranking.Count - 1;
            var right = added.Count - 1;
            CollectionsMarshal.SetCount(ranking, ranking.Count + added.Count);
            for (var place = ranking.Count - 1; right >= 0; place--)
            {
                ranking[place] = left >= begin && Candidate.Compare(ranking[left], added[right]) > 0 ? ranking[left--] : added[right--];
            }
        }

        private void AddCustom(CapacityType capacityType, List<Candidate> candidates)
        {
            foreach (var family in _catalog.CustomFamilies)
            {
                if (_request.Devices.Count == 0)
                {
                    AddCustom(Fit(family, int.MaxValue, long.MaxValue), capacityType, candidates);
                    continue;
                }

                foreach (var gpus in _catalog.GpuAttachments)
                {
                    if (gpus.Family == family.Family && Fit(family, gpus.MaxVCpus, gpus.MaxMemoryBytes >> 20) is { } type)
                    {
                        AddCustom(gpus.AttachTo(type), capacityType, candidates);
                    }
                }
            }
        }

        private InstanceType? Fit(CustomMachineFamily family, int maxVCpus, long maxMebibytes) => _request.InstanceType is { } name
            ? family.Find(name)
            : family.Fit(_milliCpu, _memoryBytes, maxVCpus, maxMebibytes);

        private void AddCustom(InstanceType? type, CapacityType capacityType, List<Candidate> candidates)
        {
            if (type is null)
            {
                return;
            }

            foreach (var offering in type.Offerings)
            {
                if (offering.CapacityType == capacityType && IsTypeAllowed(type, offering, 0) && IsOfferingAllowed(type, offering))
                {
                    candidates.Add(new Candidate(type, offering, 0));
                }
            }
        }

        private bool MayFit(in Listing listing) =>
            listing.MilliCpu >= _milliCpu
            && listing.UsableMemoryBytes >= _memoryBytes
            && (listing.Gpus == 0 || _request.Devices.Count > 0 || listing.Type.Gpus is not { Attached: true });

        // Null when it has not the processors for long.
        private decimal? Surcharge(InstanceType type) => Sizes.Surcharge(type, _request.Total.MilliCpu) ?? (_request.InstanceType is null ? null : 0);

        private bool IsTypeAllowed(InstanceType type, Offering any, decimal surcharge)
        {
            if ((type.MaxDiskBytes != 0 && type.MaxDiskBytes < _diskBytes)
                || (_request.MaxPricePerHour is { } most && !(any.PricePerHour + surcharge <= most))
                || (_request.InstanceType is { } name && name != type.Name)
                || !Sizes.AllowsTraits(_request, type))
            {
                return false;
            }

            foreach (var (resource, count) in _request.Devices)
            {
                if (Sizes.Devices(type, resource) < count)
                {
                    return false;
                }
            }

            for (var i = 0; i < _request.Rules.Count; i++)
            {
                if (_request.Rules[i].IsOfType && !_request.Rules[i].Allows(type, any, _catalog.Region))
                {
                    return false;
                }
            }

            return true;
        }

        private bool IsOfferingAllowed(InstanceType type, Offering offering)
        {
            for (var i = 0; i < _request.Rules.Count; i++)
            {
                if (!_request.Rules[i].IsOfType && !_request.Rules[i].Allows(type, offering, _catalog.Region))
                {
                    return false;
                }
            }

            return _refusals?.Find(type.Name, offering.Zone, offering.CapacityType) is null;
        }
    }
}
