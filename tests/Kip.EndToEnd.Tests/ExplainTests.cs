using System.Diagnostics;
using System.Text.Json;
using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary><c>kip explain</c> and <c>kip catalog</c>: which cell, and why.</summary>
public sealed class ExplainTests : KipStory
{
    private const string Pod = """
        apiVersion: v1
        kind: Pod
        metadata: {name: p, annotations: {pod.elotl.co/launch-type: "spot,on-demand"}}
        spec:
          initContainers:
          - {name: i, image: i, resources: {requests: {cpu: 2}}}
          containers:
          - {name: c, image: i, resources: {requests: {cpu: 500m, memory: 512Mi}}}
        """;

    [KipFact]
    public async Task Explain_Text_SaysWhatIsAskedForWhatFitsAndWhatDoesNot()
    {
        var run = await DoAsync("explain", Write(Pod), "--cloud", "aws", "--region", "eu-west-1");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Contains("cpu               2: initialisation 2, more than containers 500m", run.Output, StringComparison.Ordinal);
        Assert.Contains("in all            2 vCPU, 672Mi of memory", run.Output, StringComparison.Ordinal);
        Assert.Contains("spot, then on-demand (annotation pod.elotl.co/launch-type: spot,on-demand)", run.Output, StringComparison.Ordinal);
        Assert.Contains("not allowed by kubernetes.io/arch=amd64, the default: ", run.Output, StringComparison.Ordinal);
        Assert.Contains("The cell would be ", run.Output, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Explain_Json_IsForPrograms()
    {
        var run = await DoAsync("explain", Write(Pod), "--cloud", "gce", "-o", "json");

        Assert.Equal(0, run.ExitCode);
        using var document = JsonDocument.Parse(run.Output);
        var root = document.RootElement;
        Assert.Equal(2000, root.GetProperty("request").GetProperty("milliCpu").GetInt64());
        var first = root.GetProperty("candidates")[0];
        Assert.Equal("spot", first.GetProperty("capacityType").GetString());
        Assert.True(first.GetProperty("pricePerHour").GetDecimal() > 0);
        Assert.True(root.GetProperty("excluded").GetArrayLength() > 0);
    }

    [KipFact]
    public async Task Explain_NothingFits_FailsAndSaysWhatStandsInTheWay()
    {
        var run = await DoAsync("explain", Write(Pod.Replace("cpu: 500m", "cpu: 5000", StringComparison.Ordinal)), "--cloud", "azure");

        Assert.Equal(1, Math.Sign(run.ExitCode));
        Assert.Contains("No cell: no instance type has 5000 vCPU in eastus (in all the cell needs 5000 vCPU and 0.66 GiB of memory); the largest available is Standard_", run.Output, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Explain_UnknownRegion_NamesTheNearest()
    {
        var run = await DoAsync("explain", Write(Pod), "--cloud", "aws", "--region", "eu-west-11");

        Assert.Equal(2, run.ExitCode);
        Assert.Equal("kip: there is no region eu-west-11 of aws (did you mean eu-west-1?)\n", run.Errors);
    }

    [KipFact]
    public async Task Explain_TheGoKipsRuleAndFile_AreTaken()
    {
        var data = Path.Combine(Path.GetDirectoryName(Kip.ProviderFile)!, "instances.json");
        await File.WriteAllTextAsync(data, """{"here": [{"instanceType": "a.small", "price": 0.1, "cpu": 1, "memory": 0.5}, {"instanceType": "a.large", "price": 0.2, "cpu": 4, "memory": 8}]}""");

        var now = await DoAsync("explain", Write(Pod), "--cloud", "aws", "--region", "here", "--instance-data-path", data);
        var then = await DoAsync("explain", Write(Pod), "--cloud", "aws", "--region", "here", "--instance-data-path", data, "--rule", "go-kip");

        Assert.Contains("The cell would be a.large", now.Output, StringComparison.Ordinal);
        Assert.Contains("The cell would be a.small", then.Output, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Catalog_Filtered_ListsTypesWithTheirPrices()
    {
        var run = await DoAsync("catalog", "--cloud", "aws", "--type", "t3*.nano");

        Assert.Equal(0, run.ExitCode);
        Assert.StartsWith("TYPE ", run.OutputLines[0], StringComparison.Ordinal);
        Assert.Equal(["t3a.nano", "t3.nano"], run.OutputLines.Skip(1).Select(static line => line.Split(' ')[0]));
        Assert.Contains("2025-06~", run.OutputLines[1], StringComparison.Ordinal);
    }

    private Task<KipResult> DoAsync(params string[] arguments) => Kip.Start(new ProcessStartInfo(BuiltKip.Program, arguments)).EndsAsync();

    private string Write(string pod)
    {
        var path = Path.Combine(Path.GetDirectoryName(Kip.ProviderFile)!, "pod.yaml");
        File.WriteAllText(path, pod);
        return path;
    }
}
