using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>What a type has for a request.</summary>
internal static class Sizes
{
    /// <summary>Dollars per hour above the list price for so many processors without end; null when the type does not have them.</summary>
    public static decimal? Surcharge(InstanceType type, long milliCpu)
    {
        if (type.BaselineMilliCpu is not { } baseline || milliCpu <= baseline)
        {
            return 0;
        }

        return type.BurstPricePerCpuHour is { } price ? (milliCpu - baseline) / 1000m * price : null;
    }

    public static int Devices(InstanceType type, string resource) =>
        type.Gpus is { } gpus && gpus.Resource == resource ? gpus.Count : type.Devices.GetValueOrDefault(resource);

    public static bool AllowsTraits(CellRequest request, InstanceType type) =>
        ((type.Traits & InstanceTypeTraits.PreviousGeneration) == 0 || request.AllowsPreviousGenerations || request.InstanceType is not null)
        && ((type.Traits & InstanceTypeTraits.DedicatedHostOnly) == 0 || request.DedicatedHost);
}
