using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.Sizing;

namespace Kip.Pods;

/// <summary>
/// Reads from a pod what its cell must be: the resources it asks for, its annotations, and what its node selector and its required node
/// affinity say about a machine. Labels that say nothing about a machine are the scheduler's affair, which has matched them.
/// </summary>
public static class PodRequirements
{
    /// <summary>The architecture of cells whose pods name none.</summary>
    public const string DefaultArchitecture = "amd64";

    private const string SelectorPath = "spec.nodeSelector";
    private const string AffinityPath = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";

    /// <summary>Reads a pod.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="errors">What cannot be used; the pod must not be run then, because it would run on another cell than was asked for.</param>
    /// <param name="warnings">What has no effect.</param>
    public static CellRequest Read(Pod pod, out IReadOnlyList<FieldError> errors, out IReadOnlyList<string> warnings)
    {
        ArgumentNullException.ThrowIfNull(pod);
        var annotations = PodAnnotations.Read(pod.Metadata, out var annotationErrors, out warnings);
        var problems = new FieldErrors();
        CheckAmounts(pod.Spec, problems);
        var resources = problems.All.Count == 0 ? PodResources.Effective(pod) : new ResourceRequest(0, 0, 0);
        var rules = new List<PlacementRule>();
        AddSelector(pod.Spec.NodeSelector, rules);
        AddAffinity(pod.Spec.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution, rules, problems);

        var (exact, pattern) = annotations.InstanceType is { } type && type.Contains('*', StringComparison.Ordinal)
            ? ((string?)null, (string?)type)
            : (annotations.InstanceType, null);
        if (pattern is not null)
        {
            rules.Add(new PlacementRule($"annotation {PodAnnotations.Prefix}instance-type: {pattern}", new LabelRequirement(WellKnownLabels.InstanceType, LabelOperator.Matches, [pattern])));
        }

        var namesTypes = pattern is not null || Mentions(rules, WellKnownLabels.InstanceType);
        if (exact is null && !Mentions(rules, WellKnownLabels.Architecture))
        {
            rules.Add(new PlacementRule(
                $"{WellKnownLabels.Architecture}={DefaultArchitecture}, the default", new LabelRequirement(WellKnownLabels.Architecture, LabelOperator.In, [DefaultArchitecture])));
        }

        var (capacityTypes, source) = Capacity(pod.Metadata, annotations, rules);
        errors = [.. annotationErrors, .. problems.All];
        return new CellRequest
        {
            Pod = resources,
            MinDiskBytes = (annotations.VolumeSizeGib ?? 0) * (1L << 30),
            Devices = problems.All.Count == 0 ? PodResources.Devices(pod.Spec) : new Dictionary<string, long>(),
            CapacityTypes = capacityTypes,
            CapacitySource = source,
            DedicatedHost = annotations.LaunchType == CellLaunchType.Dedicated,
            InstanceType = exact,
            AllowsPreviousGenerations = namesTypes,
            Rules = rules,
            MaxPricePerHour = annotations.MaxPricePerHour,
            Options = Options(annotations),
        };
    }

    private static LaunchOptions? Options(PodAnnotations annotations) =>
        annotations is { LaunchType: not CellLaunchType.Dedicated, SecurityGroups.Count: 0, InstanceProfile: null, PrivateIPOnly: null, CloudRoutes.Count: 0 }
            ? null
            : new LaunchOptions
            {
                DedicatedHost = annotations.LaunchType == CellLaunchType.Dedicated,
                SecurityGroups = annotations.SecurityGroups,
                InstanceProfile = annotations.InstanceProfile,
                PrivateAddressOnly = annotations.PrivateIPOnly,
                Routes = [.. annotations.CloudRoutes.Select(static range => range.ToString())],
            };

    private static void CheckAmounts(PodSpec spec, FieldErrors problems)
    {
        Check("spec.resources", spec.Resources);
        CheckAll("spec.overhead", spec.Overhead);
        for (var i = 0; i < (spec.InitContainers?.Count ?? 0); i++)
        {
            Check($"spec.initContainers[{i}].resources", spec.InitContainers![i].Resources);
        }

        for (var i = 0; i < spec.Containers.Count; i++)
        {
            Check($"spec.containers[{i}].resources", spec.Containers[i].Resources);
        }

        void Check(string path, ResourceRequirements? resources)
        {
            CheckAll($"{path}.requests", resources?.Requests);
            CheckAll($"{path}.limits", resources?.Limits);
        }

        void CheckAll(string path, Dictionary<string, Quantity>? amounts)
        {
            foreach (var (name, amount) in amounts ?? [])
            {
                if (amount.Sign < 0)
                {
                    problems.Invalid($"{path}[{name}]", amount.ToString(), "must be greater than or equal to 0");
                }
                else if (amount > MostOf(name))
                {
                    problems.Invalid($"{path}[{name}]", amount.ToString(), $"is more than any machine has (at most {MostOf(name)})");
                }
            }
        }
    }

    // Far beyond any machine, and far from where sums of them would overflow.
    private static Quantity MostOf(string resource) => resource is "cpu" || resource.Contains('/', StringComparison.Ordinal)
        ? Quantity.FromInt64(1_000_000)
        : Quantity.FromBytes(1L << 60);

    private static void AddSelector(Dictionary<string, string>? selector, List<PlacementRule> rules)
    {
        foreach (var (key, value) in (selector ?? []).OrderBy(static entry => entry.Key, StringComparer.Ordinal))
        {
            if (WellKnownLabels.Canonical(key) is not { } label)
            {
                continue;
            }

            var wanted = label == WellKnownLabels.GpuModel ? WellKnownLabels.ModelOf(key, value) : value;
            rules.Add(new PlacementRule($"{SelectorPath} {key}={value}", new LabelRequirement(label, LabelOperator.In, [wanted])));
        }
    }

    private static void AddAffinity(NodeSelector? required, List<PlacementRule> rules, FieldErrors problems)
    {
        if (required is null)
        {
            return;
        }

        var terms = new List<IReadOnlyList<LabelRequirement>>();
        var texts = new List<string>();
        for (var t = 0; t < required.NodeSelectorTerms.Count; t++)
        {
            var term = required.NodeSelectorTerms[t];
            var requirements = new List<LabelRequirement>();
            for (var e = 0; e < (term.MatchExpressions?.Count ?? 0); e++)
            {
                var expression = term.MatchExpressions![e];
                if (Read(expression, $"{AffinityPath}[{t}].matchExpressions[{e}]", problems) is { } requirement)
                {
                    requirements.Add(requirement);
                    texts.Add($"{expression.Key} {expression.Operator} {string.Join(",", expression.Values ?? [])}".TrimEnd());
                }
            }

            if (term.MatchExpressions is { Count: > 0 } || term.MatchFields is { Count: > 0 })
            {
                terms.Add(requirements);
            }
        }

        // A term about other labels only holds on any machine; so then does the whole.
        if (terms.Count > 0 && terms.TrueForAll(static term => term.Count > 0))
        {
            rules.Add(new PlacementRule($"required node affinity ({string.Join("; ", texts)})", terms));
        }
    }

    private static LabelRequirement? Read(NodeSelectorRequirement expression, string path, FieldErrors problems)
    {
        if (!Enum.TryParse<LabelOperator>(expression.Operator, out var parsed) || parsed == LabelOperator.Matches || !Enum.IsDefined(parsed) || char.IsDigit(expression.Operator[0]))
        {
            problems.NotSupported($"{path}.operator", expression.Operator, "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt");
            return null;
        }

        var values = expression.Values ?? [];
        switch (parsed)
        {
            case LabelOperator.In or LabelOperator.NotIn when values.Count == 0:
                problems.Required($"{path}.values", "must be specified when operator is In or NotIn");
                return null;
            case LabelOperator.Exists or LabelOperator.DoesNotExist when values.Count > 0:
                problems.Forbidden($"{path}.values", "may not be specified when operator is Exists or DoesNotExist");
                return null;
            case LabelOperator.Gt or LabelOperator.Lt when values.Count != 1 || !long.TryParse(values[0], out _):
                problems.Invalid($"{path}.values", string.Join(",", values), "must be one whole number when operator is Gt or Lt");
                return null;
            default:
                return WellKnownLabels.Canonical(expression.Key) is { } label ? new LabelRequirement(label, parsed, values) : null;
        }
    }

    private static bool Mentions(List<PlacementRule> rules, string label) =>
        rules.Exists(rule => rule.Terms.Any(term => term.Any(requirement => requirement.Label == label)));

    private static (IReadOnlyList<CapacityType> Types, string Source) Capacity(ObjectMeta metadata, PodAnnotations annotations, List<PlacementRule> rules)
    {
        if (metadata.Annotations?.ContainsKey(PodAnnotations.Prefix + "launch-type") == true)
        {
            var first = Paid(annotations.LaunchType);
            return (
                annotations.FallbackLaunchType is { } fallback ? [first, Paid(fallback)] : [first],
                $"annotation {PodAnnotations.Prefix}launch-type: {metadata.Annotations[PodAnnotations.Prefix + "launch-type"]}");
        }

        // Labels say themselves what they allow; the order in which they name it is the order of preference.
        var named = rules
            .SelectMany(static rule => rule.Terms)
            .SelectMany(static term => term)
            .Where(static requirement => requirement.Label is WellKnownLabels.CapacityType or "eks.amazonaws.com/capacityType" or "cloud.google.com/gke-spot" or "kubernetes.azure.com/scalesetpriority")
            .ToList();
        if (named.Count == 0)
        {
            return ([CapacityType.OnDemand], "on-demand capacity, the default");
        }

        var spotFirst = named.Exists(static requirement =>
            requirement.Operator == LabelOperator.In && requirement.Values[0].ToLowerInvariant() is "spot" or "true");
        return (spotFirst ? [CapacityType.Spot, CapacityType.OnDemand] : [CapacityType.OnDemand, CapacityType.Spot], "any capacity type");
    }

    private static CapacityType Paid(CellLaunchType launchType) => launchType == CellLaunchType.Spot ? CapacityType.Spot : CapacityType.OnDemand;
}
