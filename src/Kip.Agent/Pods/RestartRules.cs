using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>Whether a container starts once more, by the kubelet's rules: its own restart rules, else its own policy, else the pod's.</summary>
internal static class RestartRules
{
    private const string Always = "Always";
    private const string OnFailure = "OnFailure";

    /// <summary>The policy that holds where no rule matches.</summary>
    public static string PolicyOf(PodSpec spec, Container container) =>
        container.RestartPolicy is { Length: > 0 } own ? own : spec.RestartPolicy is { Length: > 0 } policy ? policy : Always;

    /// <summary>Whether it starts once more.</summary>
    /// <param name="spec">The pod.</param>
    /// <param name="container">One of its containers.</param>
    /// <param name="exitCode">How its newest run ended; null when there was none, or nobody knows.</param>
    /// <param name="failed">Whether that counts as a failure.</param>
    public static bool Restarts(PodSpec spec, Container container, int? exitCode, bool failed)
    {
        if (exitCode is { } code && (container.RestartPolicyRules ?? []).Exists(rule => Matches(rule.ExitCodes, code)))
        {
            return true; // the one action there is
        }

        var policy = PolicyOf(spec, container);
        return policy == Always || (policy == OnFailure && failed);
    }

    /// <summary>Whether it is a rule that the agent can follow.</summary>
    public static bool IsKnown(ContainerRestartRule rule) => rule is { Action: "Restart", ExitCodes.Operator: "In" or "NotIn" };

    private static bool Matches(ContainerRestartRuleOnExitCodes? codes, int code) =>
        codes is not null && (codes.Values ?? []).Contains(code) == (codes.Operator == "In");
}
