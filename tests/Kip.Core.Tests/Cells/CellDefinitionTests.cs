using System.Text.Json;
using System.Text.Json.Nodes;
using Kip.Cells;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>The definition of cells at a real API server of its own: a definition is the whole cluster's.</summary>
public sealed class CellDefinitionTests
{
    [Fact]
    public void Carried_IsTheManifest() =>
        Assert.Equal(File.ReadAllText(Path.Combine(Repository.Root, "deploy", "crd.yaml")), CellDefinition.CarriedText());

    [Fact]
    public void Columns_AreFieldsOfTheStatusAndOfTheSchema()
    {
        var version = Kip.Kubernetes.Manifest.Read(CellDefinition.CarriedText(), "crd.yaml")[0].Json.GetProperty("spec").GetProperty("versions")[0];
        var schema = version.GetProperty("schema").GetProperty("openAPIV3Schema").GetProperty("properties").GetProperty("status").GetProperty("properties");
        var fields = schema.EnumerateObject().Select(static p => p.Name).ToHashSet();
        var columns = version.GetProperty("additionalPrinterColumns").EnumerateArray().Select(static c => c.GetProperty("jsonPath").GetString()!)
            .Where(static p => p.StartsWith(".status.", StringComparison.Ordinal)).Select(static p => p[".status.".Length..]);
        var written = CellsJsonContext.Default.CellColumns.Properties.Select(static p => p.Name).ToHashSet();

        Assert.Equal(fields, written);
        Assert.All(columns, column => Assert.Contains(column, written));
    }

    [ControlPlaneFact]
    public async Task Install_NothingThereThenOlderOnesThere_CellsAreKeptAndShown()
    {
        await using var plane = await ControlPlane.StartAsync([ControlPlane.Scheduler, ControlPlane.ControllerManager]);
        using var client = new KubernetesClient(await KubernetesConfiguration.LoadAsync(plane.Kubeconfig, null, TimeProvider.System, default), null, TimeProvider.System);

        // As the Go Kip left it, with one of its cells.
        await plane.ApplyAsync("""
            apiVersion: apiextensions.k8s.io/v1beta1
            kind: CustomResourceDefinition
            metadata: {name: cells.kip.elotl.co}
            spec:
              group: kip.elotl.co
              names: {kind: Cell, plural: cells, singular: cell, shortNames: [cl]}
              scope: Cluster
              preserveUnknownFields: true
              version: v1beta1
              versions: [{name: v1beta1, served: true, storage: true}]
              validation: {openAPIV3Schema: {type: object, properties: {status: {type: object, properties: {podName: {type: string}}}}}}
            """);
        await plane.KubectlAsync("wait", "--for=condition=Established", "crd/cells.kip.elotl.co", "--timeout=60s");
        await plane.ApplyAsync("apiVersion: kip.elotl.co/v1beta1\nkind: Cell\nmetadata: {name: 2f0d6a5e-go}\nstatus: {podName: old, controllerID: go}\n");

        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => InstallAsync(client)));
        var store = new KubernetesCellStore(client, "kip-test", TimeProvider.System, NullLogger<KubernetesCellStore>.Instance);
        var record = CellStoreTests.Record("cell-shown", "uid") with { Zone = "z-1a", PricePerHour = 0.0416m, InstanceId = "i-1", Reason = "CellLost", Message = "it is gone" };
        await store.AddAsync(record, default);

        Assert.Equal(record.Id, Assert.Single(await store.ListAsync(default)).Id);
        Assert.Equal(
            ["NAME", "POD NAME", "POD NAMESPACE", "NODE", "LAUNCH TYPE", "INSTANCE TYPE", "INSTANCE ID", "IP", "STATE", "AGE"],
            Header(await plane.KubectlAsync("get", "cl")));
        var wide = await plane.KubectlAsync("get", "cells", "-o", "wide");
        Assert.Equal(["FOR", "ZONE", "$/HOUR", "REASON", "MESSAGE"], Header(wide)[10..]);
        var line = wide.Split('\n').Single(static l => l.StartsWith("cell-shown", StringComparison.Ordinal));
        Assert.Matches(@"^cell-shown +pod +default +test +On-Demand +type +i-1 +Planned +\S+ +\S+ +z-1a +0\.0416 +CellLost +it is gone$", line);

        // What is newer than this host is left alone.
        await plane.KubectlAsync("annotate", "--overwrite", "crd/cells.kip.elotl.co", "kip.elotl.co/definition=1000000");
        await InstallAsync(client);
        Assert.Contains("1000000", await plane.KubectlAsync("get", "crd/cells.kip.elotl.co", "-o", "yaml"), StringComparison.Ordinal);
        Assert.DoesNotContain("NonStructuralSchema", await plane.KubectlAsync("get", "crd/cells.kip.elotl.co", "-o", "yaml"), StringComparison.Ordinal);
    }

    private static Task InstallAsync(KubernetesClient client) => CellDefinition.InstallAsync(client, TimeProvider.System, NullLogger.Instance, default);

    private static string[] Header(string table) =>
        [.. table.Split('\n')[0].Split("  ", StringSplitOptions.RemoveEmptyEntries).Select(static h => h.Trim()).Where(static h => h.Length > 0)];
}
