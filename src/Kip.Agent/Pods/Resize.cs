using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>Changes of the resources of containers that run: what they ask of the container and of the cell, by the kubelet's rules.</summary>
internal static class Resize
{
    private static readonly string[] _resizable = ["cpu", "memory"];

    /// <summary>Whether two sets of resources differ in something that can be changed on a running container.</summary>
    public static bool Differs(ResourceRequirements? one, ResourceRequirements? other) => _resizable.Any(name => Differs(one, other, name));

    /// <summary>Whether a container that has these resources must be started anew to get those it is to have.</summary>
    public static bool NeedsRestart(Container container, ResourceRequirements? inForce) => (container.ResizePolicy ?? []).Exists(policy =>
        policy.RestartPolicy == "RestartContainer" && Differs(container.Resources, inForce, policy.ResourceName));

    /// <summary>Why the cell is too small for the pod, in the kubelet's words; null when it is not.</summary>
    public static string? Infeasible(Pod pod, Cell cell)
    {
        var cpu = Total(pod.Spec, "cpu").MilliValue();
        var memory = Total(pod.Spec, "memory").ToInt64Ceiling();
        return cpu > cell.Processors * 1000L ? $"Node didn't have enough capacity: cpu, requested: {cpu}, capacity: {cell.Processors * 1000L}"
            : memory > cell.MemoryBytes ? $"Node didn't have enough capacity: memory, requested: {memory}, capacity: {cell.MemoryBytes}"
            : null;
    }

    private static Quantity Total(PodSpec spec, string name) => spec.Containers
        .Concat((spec.InitContainers ?? []).Where(container => container.RestartPolicy == "Always"))
        .Select(container => Amount(container.Resources?.Requests, name) ?? Amount(container.Resources?.Limits, name) ?? Quantity.Zero)
        .Aggregate(Amount(spec.Overhead, name) ?? Quantity.Zero, (sum, each) => sum + each);

    private static bool Differs(ResourceRequirements? one, ResourceRequirements? other, string name) =>
        Amount(one?.Limits, name) != Amount(other?.Limits, name) || Amount(one?.Requests, name) != Amount(other?.Requests, name);

    private static Quantity? Amount(Dictionary<string, Quantity>? amounts, string name) =>
        amounts is not null && amounts.TryGetValue(name, out var amount) ? amount : null;
}
