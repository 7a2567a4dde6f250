using System.Globalization;
using Kip.Drivers;

namespace Kip.Sizing;

/// <summary>
/// Something a pod says about the machine it wants: one of <paramref name="Terms"/> must hold, and of a term every requirement.
/// </summary>
/// <param name="Source">Where the pod says it and what, for messages: <c>nodeSelector kubernetes.io/arch=arm64</c>.</param>
/// <param name="Terms">At least one; each with at least one requirement, or none for a term that always holds.</param>
public sealed record PlacementRule(string Source, IReadOnlyList<IReadOnlyList<LabelRequirement>> Terms)
{
    /// <summary>Makes a rule of one requirement.</summary>
    public PlacementRule(string source, LabelRequirement requirement)
        : this(source, [[requirement]])
    {
    }

    internal bool IsOfType { get; } = Terms.All(static term => term.All(static requirement => WellKnownLabels.IsOfType(requirement.Label)));

    internal bool Allows(InstanceType type, Offering offering, string region)
    {
        foreach (var term in Terms)
        {
            if (Holds(term, type, offering, region))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Holds(IReadOnlyList<LabelRequirement> term, InstanceType type, Offering offering, string region)
    {
        for (var i = 0; i < term.Count; i++)
        {
            if (!term[i].IsMetBy(WellKnownLabels.Value(term[i].Label, type, offering, region)))
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>What a label of the machine must be. The operators are those of node affinity, and <see cref="LabelOperator.Matches"/>.</summary>
/// <param name="Label">One of the well-known labels, see docs/sizing.md.</param>
/// <param name="Operator">How the label is compared.</param>
/// <param name="Values">With what.</param>
public sealed record LabelRequirement(string Label, LabelOperator Operator, IReadOnlyList<string> Values)
{
    /// <summary>Whether a label of this value meets it.</summary>
    /// <param name="actual">The value; null where the label is not there.</param>
    public bool IsMetBy(string? actual) => Operator switch
    {
        LabelOperator.In => actual is not null && Contains(actual),
        LabelOperator.NotIn => actual is null || !Contains(actual),
        LabelOperator.Exists => actual is not null,
        LabelOperator.DoesNotExist => actual is null,
        LabelOperator.Gt => Number(actual) is { } left && Number(Values[0]) is { } right && left > right,
        LabelOperator.Lt => Number(actual) is { } left && Number(Values[0]) is { } right && left < right,
        LabelOperator.Matches => actual is not null && Glob.IsMatch(Values[0], actual),
        _ => false,
    };

    private static long? Number(string? text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    private bool Contains(string actual)
    {
        var isModel = Label == WellKnownLabels.GpuModel;
        for (var i = 0; i < Values.Count; i++)
        {
            if (isModel ? WellKnownLabels.IsSameModel(Values[i], actual) : Values[i] == actual)
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>How a label is compared.</summary>
public enum LabelOperator
{
    /// <summary>It is one of the values.</summary>
    In = 0,

    /// <summary>It is none of the values, or is not there.</summary>
    NotIn,

    /// <summary>It is there.</summary>
    Exists,

    /// <summary>It is not there.</summary>
    DoesNotExist,

    /// <summary>It is a whole number greater than the value.</summary>
    Gt,

    /// <summary>It is a whole number less than the value.</summary>
    Lt,

    /// <summary>It is the value, in which each <c>*</c> stands for any run of characters.</summary>
    Matches,
}
