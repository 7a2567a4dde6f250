using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Kip.Agent.Tests.Pods;
using Kip.Tests.Support;

namespace Kip.Agent.Tests.Documentation;

/// <summary>
/// Makes docs/pod-support.md: the fields of pod-fields.txt, each with the tests that name it. Sources are read rather than assemblies, so that the
/// tests of all projects are seen, whichever of them was built.
/// </summary>
internal sealed partial class PodSupportPage
{
    private readonly List<string> _lines = [.. File.ReadLines(Path.Combine(Repository.Root, "tests", "Support", "pod-fields.txt"))];
    private readonly List<(string Field, string Proof)> _proved = [.. FromTests(refused: false), .. FromSamples()];
    private readonly List<(string Field, string Proof)> _refused = [.. FromTests(refused: true), .. FromRefusals()];

    /// <summary>What the tests name and pod-fields.txt does not have: mistyped, or new.</summary>
    public IEnumerable<string> Unknown
    {
        get
        {
            var known = Fields().Select(static f => f.Name).ToHashSet(StringComparer.Ordinal);
            return _proved.Concat(_refused).Where(p => !known.Contains(p.Field)).Select(static p => $"{p.Field}, named by {p.Proof}");
        }
    }

    public string Render()
    {
        var text = new StringBuilder("""
            # What a pod may say

            Written by `eng/pod-support` from the tests; do not edit. It has every field of a pod in Kubernetes 1.34. Each is either proved by the tests
            that are named beside it, or **refused**: the pod does not run, and its event names the field (`this version of the agent cannot run a pod
            with spec.hostUsers`). A field that no test names is marked **not proved**. What holds for `containers` holds for `initContainers` and `ephemeralContainers` too, as
            far as these have the field, and what holds for one probe holds for all three. *Since* is the Kubernetes version whose API had the field first.

            """);
        foreach (var line in _lines)
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                text.Append(CultureInfo.InvariantCulture, $"\n{line}\n\n| field | supported | since | proved by |\n|---|---|---|---|\n");
            }
            else if (Parse(line) is var (field, since, owner))
            {
                var (yes, no) = (IsIn(_proved, field), IsIn(_refused, field));
                var supported = owner ?? (yes, no) switch
                {
                    (true, false) => "yes",
                    (true, true) => "yes, but some values are refused",
                    (false, true) => "**refused**",
                    (false, false) => "**not proved**",
                };
                var proofs = _proved.Concat(_refused).Where(p => p.Field == field).Select(static p => p.Proof).Distinct().Order(StringComparer.Ordinal);
                text.Append(CultureInfo.InvariantCulture, $"| `{field}` | {supported} | {since} | {string.Join("<br>", proofs)} |\n");
            }
        }

        return text.ToString();
    }

    private static bool IsIn(List<(string Field, string Proof)> proofs, string field) => proofs.Exists(p => p.Field == field);

    private IEnumerable<(string Name, string Since, string? Owner)> Fields() => _lines.Select(Parse).OfType<(string, string, string?)>();

    private static (string Field, string Since, string? Owner)? Parse(string line) =>
        line.Length == 0 || line[0] == '#' ? null
        : line.Split(' ', 3) is [var field, var since, .. var rest] ? (field, since, rest is [var owner] ? owner : null)
        : throw new InvalidOperationException($"pod-fields.txt: '{line}' has no version");

    private static string Test(string type, string method) => $"`{type}.{method}`";

    /// <summary>The paths, without the numbers of elements, that a test of the refusals expects: the last of each line of its data.</summary>
    private static IEnumerable<(string Field, string Proof)> FromRefusals() =>
        from method in typeof(UnsupportedFieldsTests).GetMethods()
        where method.Name.EndsWith("_NamesIt", StringComparison.Ordinal)
        from data in method.GetCustomAttributes<InlineDataAttribute>()
        from line in data.GetData(method)
        select (Number().Replace((string)line[^1], "[]"), Test(nameof(UnsupportedFieldsTests), method.Name));

    private static IEnumerable<(string Field, string Proof)> FromTests(bool refused) =>
        from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*Tests.cs", SearchOption.AllDirectories)
        let source = File.ReadAllText(file)
        from Match marked in Marked().Matches(source)
        where marked.Groups["fields"].Value.EndsWith(", Refused = true", StringComparison.Ordinal) == refused
        from Match name in Quoted().Matches(marked.Groups["fields"].Value)
        select (name.Groups[1].Value, Test(Path.GetFileNameWithoutExtension(file), marked.Groups["method"].Value));

    private static IEnumerable<(string Field, string Proof)> FromSamples()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples", "pods"), "*.expect.yaml"))
        {
            var sample = Path.GetFileName(file).Replace(".expect", "", StringComparison.Ordinal);
            // proves: and the list below it, one field a line.
            var list = File.ReadLines(file).SkipWhile(static l => l != "proves:").Skip(1).TakeWhile(static l => l.StartsWith("  - ", StringComparison.Ordinal));
            foreach (var line in list)
            {
                yield return (line[4..], $"[samples/pods/{sample}](../samples/pods/{sample})");
            }
        }
    }

    // [PodField("a", "b")], any other attributes, then the method.
    [GeneratedRegex(@"\[PodField\((?<fields>[^)]*)\)\](?=[\s\S]*?public (?:async )?(?:Task|void) (?<method>\w+))")]
    private static partial Regex Marked();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\[\d+\]")]
    private static partial Regex Number();
}
