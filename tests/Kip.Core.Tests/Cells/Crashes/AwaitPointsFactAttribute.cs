namespace Kip.Core.Tests.Cells.Crashes;

/// <summary>A search that is not part of the suite yet: beside other tests it has run out of memory twice, which is not understood.</summary>
internal sealed class AwaitPointsFactAttribute : FactAttribute
{
    private const string Switch = "KIP_AWAIT_POINTS";

    public AwaitPointsFactAttribute() =>
        Skip = Environment.GetEnvironmentVariable(Switch) is null ? $"runs with {Switch}=1 only: beside other tests it has run out of memory, which is not understood" : null;
}
