using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;
using Kip.Tests.Support;
using Kip.VirtualKubelet.Pods;
using Kip.VirtualKubelet.Resolution;
using Kip.VirtualKubelet.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Resolution;

/// <summary>The resolver on a real API server.</summary>
public sealed class WatchedObjectsTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    [ControlPlaneFact]
    public async Task Resolve_OnARealApiServer_ReadsFollowsAndMakesTokens()
    {
        await using var plane = await ControlPlane.StartAsync([ControlPlane.Scheduler]);
        var configuration = await KubernetesConfiguration.LoadAsync(plane.Kubeconfig, null, TimeProvider.System, default);
        using var client = new KubernetesClient(configuration, null, TimeProvider.System);
        await using var source = new WatchedObjects(client, TimeProvider.System, Random.Shared, NullLogger<WatchedObjects>.Instance);
        using var resolver = new PodResolver(source, new ClusterDns([], "cluster.local"), new PodEvents(new RecordedEvents()), TimeProvider.System, NullLogger<PodResolver>.Instance);
        var changes = Channel.CreateUnbounded<ObjectKey>();
        resolver.Changed += pod => changes.Writer.TryWrite(pod);
        await plane.ApplyAsync("""
            apiVersion: v1
            kind: Secret
            metadata: {name: s, namespace: default}
            stringData: {key: hidden}
            ---
            apiVersion: v1
            kind: Secret
            metadata: {name: unrelated, namespace: default}
            stringData: {key: hidden too}
            ---
            apiVersion: node.k8s.io/v1
            kind: RuntimeClass
            metadata: {name: accelerated}
            handler: nvidia
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: pod, namespace: default}
            spec:
              runtimeClassName: accelerated
              containers: [{name: main, image: none, env: [{name: KEY, valueFrom: {secretKeyRef: {name: s, key: key}}}]}]
              volumes:
              - {name: late, configMap: {name: late}}
              - {name: token, projected: {sources: [{serviceAccountToken: {path: token}}]}}
            """);
        var key = new ObjectKey("default", "pod");
        var pod = await client.GetAsync(Resources.Pods, key, default);

        var error = await Assert.ThrowsAsync<PodResolutionException>(() => resolver.ResolveAsync(pod, default));
        Assert.Equal("ConfigMap default/late not found: volume late needs it", error.Message);
        await plane.KubectlAsync("create", "configmap", "late", "--from-literal=a=1");
        Assert.Equal(key, await NextAsync(changes.Reader));
        var assignment = await resolver.ResolveAsync(pod, default);

        Assert.Equal("nvidia", assignment.RuntimeHandler);
        Assert.Equal("hidden", assignment.Pod.Spec.Containers[0].Env!.Single(each => each.Name == "KEY").Value);
        Assert.Contains(assignment.Pod.Spec.Containers[0].Env!, each => each.Name == "KUBERNETES_SERVICE_HOST");
        Assert.Equal("1", Text(assignment.Volumes.Single(volume => volume.Name == "late").Files[0].Data));
        Assert.Equal(pod.Metadata.Uid, PodOf(Text(assignment.Volumes.Single(volume => volume.Name == "token").Files[0].Data)));
        await plane.KubectlAsync("patch", "configmap", "late", "-p", """{"data":{"a":"2"}}""");
        Assert.Equal(key, await NextAsync(changes.Reader));
        assignment = await resolver.ResolveAsync(pod, default);
        Assert.Equal("2", Text(assignment.Volumes.Single(volume => volume.Name == "late").Files[0].Data));
        Assert.False(resolver.IsStale(pod));
        resolver.Forget(key);
        Assert.Equal(0, source.Count);
    }

    private static async Task<ObjectKey> NextAsync(ChannelReader<ObjectKey> changes)
    {
        using var limit = new CancellationTokenSource(_patience, TimeProvider.System);
        try
        {
            return await changes.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"waited {_patience} to be told of a change");
        }
    }

    private static string Text(ReadOnlyMemory<byte> data) => Encoding.UTF8.GetString(data.Span);

    /// <summary>The UID of the pod that a token is bound to.</summary>
    private static string? PodOf(string token)
    {
        var claims = token.Split('.')[1].Replace('-', '+').Replace('_', '/');
        using var document = JsonDocument.Parse(Convert.FromBase64String(claims.PadRight((claims.Length + 3) / 4 * 4, '=')));
        return document.RootElement.GetProperty("kubernetes.io").GetProperty("pod").GetProperty("uid").GetString();
    }
}
