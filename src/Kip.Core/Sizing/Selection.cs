using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>What was found for a request, and why the rest was not.</summary>
/// <param name="Ranking">What fits, the first choice first.</param>
/// <param name="Excluded">What does not, each with the first reason that was found.</param>
/// <param name="Problem">When nothing fits: what stands in the way, what comes closest. Null otherwise.</param>
public sealed record Selection(IReadOnlyList<Candidate> Ranking, IReadOnlyList<Exclusion> Excluded, string? Problem);

/// <summary>Something that a cloud offers and a pod cannot have.</summary>
/// <param name="Type">The type.</param>
/// <param name="Offering">The offering that is excluded; null when they all are.</param>
/// <param name="Reason">Why, in words that are the same for all types that are excluded alike.</param>
public sealed record Exclusion(InstanceType Type, Offering? Offering, string Reason);
