using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>Checks a container's resources; see <see cref="PodValidation"/>.</summary>
internal static class ResourceValidation
{
    private const string HugePagesPrefix = "hugepages-";

    public static void Validate(ResourceRequirements? resources, string field, FieldErrors errors)
    {
        foreach (var (name, limit) in resources?.Limits ?? [])
        {
            ValidateAmount(name, limit, $"{field}.limits", errors);
        }

        foreach (var (name, request) in resources?.Requests ?? [])
        {
            ValidateAmount(name, request, $"{field}.requests", errors);
            ValidateAgainstLimit(name, request, resources!.Limits, $"{field}.requests", errors);
        }
    }

    private static void ValidateAmount(string name, Quantity amount, string field, FieldErrors errors)
    {
        if (Names.QualifiedName(name) is { } problem)
        {
            errors.Invalid(field, name, problem);
        }
        else if (!name.Contains('/', StringComparison.Ordinal) && !IsStandard(name))
        {
            errors.Invalid($"{field}[{name}]", name, "must be a standard resource type or fully qualified");
        }

        if (amount.Sign < 0)
        {
            errors.Invalid($"{field}.{name}", amount.ToString(), "must be greater than or equal to 0");
        }
        else if (!MayBeOvercommitted(name) && amount != Quantity.FromInt64(amount.ToInt64Ceiling()))
        {
            errors.Invalid($"{field}.{name}", amount.ToString(), "must be an integer");
        }
    }

    private static void ValidateAgainstLimit(
        string name, Quantity request, Dictionary<string, Quantity>? limits, string field, FieldErrors errors)
    {
        var overcommit = MayBeOvercommitted(name);
        if (limits is null || !limits.TryGetValue(name, out var limit))
        {
            if (!overcommit)
            {
                errors.Required($"{field.Replace(".requests", ".limits", StringComparison.Ordinal)}", "Limit must be set for non overcommitable resources");
            }
        }
        else if (overcommit && request > limit)
        {
            errors.Invalid(field, request.ToString(), $"must be less than or equal to {name} limit of {limit}");
        }
        else if (!overcommit && request != limit)
        {
            errors.Invalid(field, request.ToString(), $"must be equal to {name} limit of {limit}");
        }
    }

    private static bool IsStandard(string name) =>
        name is "cpu" or "memory" or "ephemeral-storage" || name.StartsWith(HugePagesPrefix, StringComparison.Ordinal);

    /// <summary>Extended resources (such as GPUs) and huge pages are handed out whole and once.</summary>
    private static bool MayBeOvercommitted(string name) => IsStandard(name) && !name.StartsWith(HugePagesPrefix, StringComparison.Ordinal);
}
