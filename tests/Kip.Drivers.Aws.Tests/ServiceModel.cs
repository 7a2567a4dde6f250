using System.IO.Compression;
using System.Text.Json;
using Kip.Tests.Support;

namespace Kip.Drivers.Aws.Tests;

/// <summary>AWS's own description of a service's interface: which parameters a request may have, and what an answer looks like.</summary>
internal sealed class ServiceModel
{
    private const string Ec2 = "ec2-2016-11-15";

    private readonly JsonElement _operations;
    private readonly JsonElement _shapes;

    private ServiceModel(JsonElement root)
    {
        _operations = root.GetProperty("operations");
        _shapes = root.GetProperty("shapes");
        var metadata = root.GetProperty("metadata");
        Names = (Text("signingName"), Text("targetPrefix"), Text("endpointPrefix"), Text("apiVersion"));

        string Text(string name) => metadata.TryGetProperty(name, out var value) ? value.GetString()! : "";
    }

    /// <summary>Why it is not here, or null.</summary>
    public static string? Missing { get; } = File.Exists(PathOf(Ec2)) ? null : $"not there: {PathOf(Ec2)}, botocore's service-2.json of EC2, and those of other services beside it";

    /// <summary>What the signature, the header and the address of a request to the service have to say.</summary>
    public (string Service, string TargetPrefix, string EndpointPrefix, string Version) Names { get; }

    public static ServiceModel Read(string service = Ec2)
    {
        using var stream = new GZipStream(File.OpenRead(PathOf(service)), CompressionMode.Decompress);
        using var document = JsonDocument.Parse(stream);
        return new ServiceModel(document.RootElement.Clone());
    }

    /// <summary>What is wrong with a request; empty when nothing is.</summary>
    public IReadOnlyList<string> Check(Ec2Call call)
    {
        if (!_operations.TryGetProperty(call.Action, out var operation))
        {
            return [$"there is no action {call.Action}"];
        }

        List<string> problems = [];
        var members = call.Parameters.Where(parameter => parameter.Key is not ("Action" or "Version"))
            .Select(parameter => (Path: parameter.Key.Split('.'), parameter.Value)).ToList();
        CheckStructure(operation.GetProperty("input").GetProperty("shape").GetString()!, members, call.Action, problems);
        return problems;
    }

    /// <summary>What is wrong with a request of a service that speaks JSON; empty when nothing is.</summary>
    public IReadOnlyList<string> CheckJson(Ec2Call call)
    {
        List<string> problems = [];
        using var body = JsonDocument.Parse(call["Body"]!);
        CheckJson(_operations.GetProperty(call.Action).GetProperty("input").GetProperty("shape").GetString()!, body.RootElement, call.Action, problems);
        return problems;
    }

    /// <summary>An answer in JSON, with every member that the action can answer with, two items in each list, and a member that nobody knows.</summary>
    public string MakeJsonAnswer(string action) =>
        JsonContent(_operations.GetProperty(action).GetProperty("output").GetProperty("shape").GetString()!);

    private static string PathOf(string service) => System.IO.Path.Combine(Repository.Root, "..", "shared", "api-specs", $"aws-{service}.json.gz");

    private string JsonContent(string shape)
    {
        var description = _shapes.GetProperty(shape);
        return description.GetProperty("type").GetString() switch
        {
            "structure" => "{" + string.Join(',', description.GetProperty("members").EnumerateObject()
                .Select(member => $"\"{member.Name}\":{JsonContent(member.Value.GetProperty("shape").GetString()!)}").Append("\"notYetInvented\":[1]")) + "}",
            "list" => $"[{string.Join(',', Enumerable.Repeat(JsonContent(description.GetProperty("member").GetProperty("shape").GetString()!), 2))}]",
            "timestamp" => "1767322985.123",
            "integer" or "long" => "7",
            _ => $"\"text of {shape}\"",
        };
    }

    private void CheckJson(string shape, JsonElement given, string at, List<string> problems)
    {
        var description = _shapes.GetProperty(shape);
        switch (description.GetProperty("type").GetString(), given.ValueKind)
        {
            case ("structure", JsonValueKind.Object):
                var members = description.GetProperty("members");
                foreach (var member in given.EnumerateObject())
                {
                    if (members.TryGetProperty(member.Name, out var known))
                    {
                        CheckJson(known.GetProperty("shape").GetString()!, member.Value, $"{at}.{member.Name}", problems);
                    }
                    else
                    {
                        problems.Add($"{at} has no member {member.Name}");
                    }
                }

                if (description.TryGetProperty("required", out var required))
                {
                    problems.AddRange(required.EnumerateArray().Select(name => name.GetString()!).Where(name => !given.TryGetProperty(name, out _)).Select(name => $"{at} lacks {name}"));
                }

                break;
            case ("list", JsonValueKind.Array):
                foreach (var item in given.EnumerateArray())
                {
                    CheckJson(description.GetProperty("member").GetProperty("shape").GetString()!, item, $"{at}[]", problems);
                }

                break;
            case ("integer" or "long", JsonValueKind.Number):
                CheckShape(shape, [([], given.GetRawText())], at, problems);
                break;
            case ("string", JsonValueKind.String):
                CheckShape(shape, [([], given.GetString()!)], at, problems);
                break;
            default:
                problems.Add($"{at} is no {shape}: {given.GetRawText()}");
                break;
        }
    }

    private static IEnumerable<IGrouping<string, (string[] Path, string Value)>> ByName(IEnumerable<(string[] Path, string Value)> members) =>
        members.GroupBy(member => member.Path[0], member => (member.Path[1..], member.Value));

    private static string QueryName(JsonProperty member) =>
        member.Value.TryGetProperty("queryName", out var query) ? query.GetString()!
        : member.Value.TryGetProperty("locationName", out var location) ? char.ToUpperInvariant(location.GetString()![0]) + location.GetString()![1..]
        : member.Name;

    private void CheckStructure(string shape, IReadOnlyCollection<(string[] Path, string Value)> given, string at, List<string> problems)
    {
        var description = _shapes.GetProperty(shape);
        var known = description.GetProperty("members").EnumerateObject().ToDictionary(QueryName, member => (member.Name, Shape: member.Value.GetProperty("shape").GetString()!));
        var present = new HashSet<string>();
        foreach (var group in ByName(given))
        {
            if (!known.TryGetValue(group.Key, out var member))
            {
                problems.Add($"{at} has no member {group.Key}");
                continue;
            }

            present.Add(member.Name);
            CheckShape(member.Shape, [.. group], $"{at}.{group.Key}", problems);
        }

        if (description.TryGetProperty("required", out var required))
        {
            problems.AddRange(required.EnumerateArray().Select(name => name.GetString()!).Where(name => !present.Contains(name)).Select(name => $"{at} lacks {name}"));
        }
    }

    private void CheckShape(string shape, IReadOnlyList<(string[] Path, string Value)> given, string at, List<string> problems)
    {
        var description = _shapes.GetProperty(shape);
        var type = description.GetProperty("type").GetString();
        if (type == "structure")
        {
            CheckStructure(shape, given, at, problems);
            return;
        }

        if (type == "list")
        {
            var items = ByName(given).ToList();
            for (var i = 1; i <= items.Count; i++)
            {
                if (items.Find(item => item.Key == $"{i}") is { } item)
                {
                    CheckShape(description.GetProperty("member").GetProperty("shape").GetString()!, [.. item], $"{at}.{i}", problems);
                }
                else
                {
                    problems.Add($"{at} has no item {i} of {items.Count}");
                }
            }

            return;
        }

        var value = given.Count == 1 && given[0].Path.Length == 0 ? given[0].Value : null;
        var isRight = type switch
        {
            _ when value is null => false,
            "integer" or "long" => long.TryParse(value, out var number)
                && (!description.TryGetProperty("min", out var min) || number >= min.GetInt64())
                && (!description.TryGetProperty("max", out var max) || number <= max.GetInt64()),
            "boolean" => value is "true" or "false",
            "timestamp" => DateTimeOffset.TryParse(value, out _),
            "string" => !description.TryGetProperty("enum", out var values) || values.EnumerateArray().Any(known => known.GetString() == value),
            _ => false,
        };
        if (!isRight)
        {
            problems.Add($"{at} is no {type} {shape}: {value}");
        }
    }
}

/// <summary>A test that needs AWS's service model; says so when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ServiceModelFactAttribute : FactAttribute
{
    public ServiceModelFactAttribute() => Skip = ServiceModel.Missing;
}

/// <summary>As <see cref="ServiceModelFactAttribute"/>, for many cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ServiceModelTheoryAttribute : TheoryAttribute
{
    public ServiceModelTheoryAttribute() => Skip = ServiceModel.Missing;
}
