namespace Kip.Sizing;

/// <summary>By which rule instance types are chosen.</summary>
public enum SizingRule
{
    /// <summary>The cheapest that has what the pod effectively asks for, by the scheduler's formula, and what the cell itself takes.</summary>
    Kubernetes = 0,

    /// <summary>The one that the Go Kip would have chosen, see <see cref="Compatibility.GoKipSelector"/>.</summary>
    GoKip,
}
