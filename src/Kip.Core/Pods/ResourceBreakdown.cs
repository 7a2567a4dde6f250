using System.Text;
using Kip.Kubernetes;

namespace Kip.Pods;

/// <summary>How the amount of one resource that a pod effectively asks for comes about.</summary>
/// <param name="Resource">Name of the resource.</param>
/// <param name="Containers">What all containers ask for together.</param>
/// <param name="Sidecars">What all restartable init containers ask for together; they run beside the containers.</param>
/// <param name="Initialising">The most that any point of initialisation needs.</param>
/// <param name="PodLevel">What the pod asks for as a whole, which goes before the sums; null when it does not say.</param>
/// <param name="Overhead">What the runtime class takes.</param>
public sealed record ResourceBreakdown(string Resource, Quantity Containers, Quantity Sidecars, Quantity Initialising, Quantity? PodLevel, Quantity Overhead)
{
    /// <summary>The amount.</summary>
    public Quantity Total => (PodLevel ?? Quantity.Max(Containers + Sidecars, Initialising)) + Overhead;

    /// <summary>For example <c>750m: containers 500m + sidecars 250m</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder($"{Total}: ");
        if (PodLevel is { } podLevel)
        {
            text.Append($"pod-level {podLevel}");
        }
        else if (Initialising > Containers + Sidecars)
        {
            text.Append($"initialisation {Initialising}, more than containers {Containers}{(Sidecars.IsZero ? "" : $" + sidecars {Sidecars}")}");
        }
        else
        {
            text.Append($"containers {Containers}{(Sidecars.IsZero ? "" : $" + sidecars {Sidecars}")}");
        }

        return text.Append(Overhead.IsZero ? "" : $" + overhead {Overhead}").ToString();
    }
}
