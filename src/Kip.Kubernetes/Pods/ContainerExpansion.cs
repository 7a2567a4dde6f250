using System.Text;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>A container's command line and environment with every <c>$(VAR)</c> replaced.</summary>
/// <param name="Command">Replaces the image's entry point; empty keeps it.</param>
/// <param name="Args">Replaces the image's arguments; empty keeps them.</param>
/// <param name="Env">The environment, each name once, in the order of first mention.</param>
public sealed record ExpandedContainer(
    IReadOnlyList<string> Command,
    IReadOnlyList<string> Args,
    IReadOnlyList<KeyValuePair<string, string>> Env);

/// <summary>
/// Replaces <c>$(VAR)</c> in a container's command, arguments and environment, as the kubelet does: <c>$$</c> stands
/// for <c>$</c>, so <c>$$(VAR)</c> stays <c>$(VAR)</c>; what refers to no variable stays as it is.
/// </summary>
public static class ContainerExpansion
{
    /// <summary>
    /// Expands a container. Each environment value sees the inherited variables and those before it; command and
    /// arguments see all. A variable that still has a <see cref="EnvVar.ValueFrom"/> is left out: whoever resolves it
    /// puts the value through <see cref="Escape"/>, for the kubelet does not expand such values.
    /// </summary>
    /// <param name="container">The container; it is not changed.</param>
    /// <param name="inherited">Variables the container's own ones win over, such as those of its config maps.</param>
    public static ExpandedContainer Expand(Container container, IEnumerable<KeyValuePair<string, string>>? inherited = null)
    {
        ArgumentNullException.ThrowIfNull(container);
        var env = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in inherited ?? [])
        {
            env[name] = value;
        }

        foreach (var variable in container.Env ?? [])
        {
            if (variable.ValueFrom is null)
            {
                env[variable.Name] = Expand(variable.Value ?? "", env);
            }
        }

        return new ExpandedContainer(ExpandAll(container.Command, env), ExpandAll(container.Args, env), [.. env]);
    }

    /// <summary>Expands one text.</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> variables)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(variables);
        if (!text.Contains('$', StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        var rest = text.AsSpan();
        while (rest.Length > 0)
        {
            switch (rest)
            {
                case ['$', '$', ..]:
                    result.Append('$');
                    rest = rest[2..];
                    break;
                case ['$', '(', .. var inner] when inner.IndexOf(')') is >= 0 and var end:
                    var name = inner[..end].ToString();
                    result.Append(variables.TryGetValue(name, out var value) ? value : $"$({name})");
                    rest = inner[(end + 1)..];
                    break;
                default:
                    result.Append(rest[0]);
                    rest = rest[1..];
                    break;
            }
        }

        return result.ToString();
    }

    /// <summary>Makes a text that <see cref="Expand(string, IReadOnlyDictionary{string, string})"/> turns back into <paramref name="value"/>.</summary>
    public static string Escape(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value.Replace("$", "$$", StringComparison.Ordinal);
    }

    private static string[] ExpandAll(List<string>? texts, IReadOnlyDictionary<string, string> variables) =>
        [.. (texts ?? []).Select(text => Expand(text, variables))];
}
