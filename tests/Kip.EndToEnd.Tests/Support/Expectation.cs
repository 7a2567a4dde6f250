using System.Text.Json;
using System.Text.RegularExpressions;
using Kip.Kubernetes;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>
/// What a sample's <c>.expect.yaml</c> says: the part of the status to wait for before the pod is stopped (<c>whileRunning</c>), the part of the status that it
/// ends with (<c>ended</c>), and whole logs by container (<c>log</c>). A text that begins with ~ is a regular expression.
/// </summary>
internal sealed record Expectation(JsonElement? WhileRunning, JsonElement? Ended, IReadOnlyList<(string Container, IReadOnlyList<string> Lines)> Logs)
{
    private static readonly HashSet<string> _keys = ["apiVersion", "kind", "proves", "whileRunning", "ended", "log"];

    public static async Task<Expectation> ReadAsync(string path)
    {
        Assert.True(File.Exists(path), $"{path} is missing: write what is to be expected of the sample");
        var document = Assert.Single(await Manifest.ReadAsync(path, CancellationToken.None));
        Assert.Equal("PodExpectation", document.Kind);
        var members = document.Json.EnumerateObject().ToDictionary(static m => m.Name, static m => m.Value);
        Assert.Empty(members.Keys.Except(_keys));
        Assert.True(members.ContainsKey("whileRunning") || members.ContainsKey("ended"), $"{path} expects nothing of the status");
        return new Expectation(
            members.TryGetValue("whileRunning", out var running) ? running : null,
            members.TryGetValue("ended", out var ended) ? ended : null,
            members.TryGetValue("log", out var log)
                ? [.. log.EnumerateObject().Select(static l => (l.Name, (IReadOnlyList<string>)[.. l.Value.EnumerateArray().Select(static v => v.GetString()!)]))]
                : []);
    }

    /// <summary>Whether a log has these lines and no others.</summary>
    public static bool Fits(IReadOnlyList<string> lines, string log)
    {
        var actual = log.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return actual.Length == lines.Count && lines.Zip(actual).All(static pair => Fits(pair.First, pair.Second));
    }

    /// <summary>What of the expected is not in the actual: objects may have more members, lists more elements at their end.</summary>
    public static IReadOnlyList<string> Differences(JsonElement expected, JsonElement actual, string path = "status")
    {
        switch (expected.ValueKind)
        {
            case JsonValueKind.Object when actual.ValueKind == JsonValueKind.Object:
                return [.. expected.EnumerateObject().SelectMany(member => actual.TryGetProperty(member.Name, out var value)
                    ? Differences(member.Value, value, $"{path}.{member.Name}")
                    : [$"{path}.{member.Name} is not there"])];
            case JsonValueKind.Array when actual.ValueKind == JsonValueKind.Array:
                return [.. expected.EnumerateArray().SelectMany((element, i) => i < actual.GetArrayLength()
                    ? Differences(element, actual[i], $"{path}[{i}]")
                    : [$"{path}[{i}] is not there"])];
            case JsonValueKind.String when actual.ValueKind == JsonValueKind.String:
                return Fits(expected.GetString()!, actual.GetString()!) ? [] : [$"{path} is '{actual.GetString()}' and not '{expected.GetString()}'"];
            default:
                return expected.GetRawText() == actual.GetRawText() ? [] : [$"{path} is {actual.GetRawText()} and not {expected.GetRawText()}"];
        }
    }

    private static bool Fits(string expected, string actual) =>
        expected.StartsWith('~') ? Regex.IsMatch(actual, expected[1..]) : expected == actual;
}
