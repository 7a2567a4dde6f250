using Kip.Cells;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Pods;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>
/// Puts plain values in place of what an environment takes from other objects. What comes from the pod itself and from its cell
/// (fieldRef, resourceFieldRef) stays: the cell knows it. The order is the kubelet's: services, then envFrom, then env, where each value
/// sees those before it and a later one of the same name wins.
/// </summary>
internal static class EnvironmentResolver
{
    private const string Reason = "CreateContainerConfigError";

    /// <summary>Changes the container.</summary>
    /// <exception cref="PodResolutionException">An object or a key that must be there is not.</exception>
    public static void Resolve(Pod pod, Container container, ObjectSet objects, PodEvents events)
    {
        var env = new List<EnvVar>();
        foreach (var (name, value) in ServiceEnvironment.Of(objects.Services, pod))
        {
            env.Add(Literal(name, value));
        }

        foreach (var source in container.EnvFrom ?? [])
        {
            env.AddRange(From(source, pod, container, objects, events));
        }

        env.AddRange((container.Env ?? []).Select(variable => Resolve(variable, container, objects)).OfType<EnvVar>());
        container.Env = env.Count > 0 ? env : null;
        container.EnvFrom = null;
    }

    private static IEnumerable<EnvVar> From(EnvFromSource source, Pod pod, Container container, ObjectSet objects, PodEvents events)
    {
        var (kind, name, values) = Read();
        var invalid = new List<string>();
        foreach (var (key, value) in values.OrderBy(static each => each.Key, StringComparer.Ordinal))
        {
            var variable = source.Prefix + key;
            if (IsVariableName(variable))
            {
                yield return Literal(variable, value);
            }
            else
            {
                invalid.Add(variable);
            }
        }

        if (invalid.Count > 0)
        {
            events.Warning(
                new PodReference(objects.Namespace, pod.Metadata.Name!, pod.Metadata.Uid!),
                "InvalidEnvironmentVariableNames",
                $"Keys [{string.Join(", ", invalid)}] from the EnvFrom {kind} {objects.Namespace}/{name} were skipped since they are "
                + "considered invalid environment variable names.");
        }

        (string Kind, string Name, IEnumerable<KeyValuePair<string, string>> Values) Read()
        {
            var user = $"envFrom of container {container.Name}";
            if (source.ConfigMapRef is { Name: { Length: > 0 } configMap } reference)
            {
                return ("configMap", configMap, objects.TryConfigMap(Reason, reference.Optional, configMap, user, out var found) ? found.Data ?? [] : []);
            }

            if (source.SecretRef is { Name: { Length: > 0 } secret } secretReference)
            {
                return ("secret", secret, objects.TrySecret(Reason, secretReference.Optional, secret, user, out var found)
                    ? (found.Data ?? []).Select(static each => KeyValuePair.Create(each.Key, Text(each.Value)))
                    : []);
            }

            return ("source", "", []);
        }
    }

    /// <summary>Null when it may be missing and is.</summary>
    private static EnvVar? Resolve(EnvVar variable, Container container, ObjectSet objects)
    {
        var user = $"{variable.Name} of container {container.Name}";
        switch (variable.ValueFrom)
        {
            case { ConfigMapKeyRef: { Name: { Length: > 0 } name } key }:
                return objects.TryConfigMap(Reason, key.Optional, name, user, out var configMap)
                    ? Value(configMap.Data is { } data && data.TryGetValue(key.Key, out var text) ? text : null, key, "ConfigMap", name)
                    : null;
            case { SecretKeyRef: { Name: { Length: > 0 } name } key }:
                return objects.TrySecret(Reason, key.Optional, name, user, out var secret)
                    ? Value(secret.Data is { } bytes && bytes.TryGetValue(key.Key, out var value) ? Text(value) : null, key, "Secret", name)
                    : null;
            default:
                return variable;
        }

        EnvVar? Value(string? value, KeySelector key, string kind, string name)
        {
            if (value is null)
            {
                return key.Optional == true
                    ? null
                    : throw new PodResolutionException(Reason, $"couldn't find key {key.Key} in {kind} {objects.Namespace}/{name}: {user} needs it");
            }

            return Literal(variable.Name, value);
        }
    }

    /// <summary>A value in which nothing is expanded.</summary>
    private static EnvVar Literal(string name, string value) => new() { Name = name, Value = ContainerExpansion.Escape(value) };

    private static string Text(byte[] value) => System.Text.Encoding.UTF8.GetString(value);

    /// <summary>As Kubernetes has it since 1.34: any printable ASCII but "=".</summary>
    private static bool IsVariableName(string name) => name.Length > 0 && name.All(static letter => letter is >= ' ' and <= '~' and not '=');
}
