using Kip.Drivers;

namespace Kip.Cells;

/// <summary>Cells of one instance type that are kept ready for pods to come.</summary>
/// <param name="InstanceType">Name of the type.</param>
/// <param name="Count">How many, at least.</param>
/// <param name="CapacityType">How they are paid for. A pod takes what its launch type allows.</param>
public sealed record StandbyCells(string InstanceType, int Count, CapacityType CapacityType = CapacityType.OnDemand)
{
    /// <summary>Images that they pull while they wait, with <see cref="CellManagerOptions.Credentials"/>; one that cannot be had is passed over.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];
}
