using System.Text;

namespace Kip.Kubernetes.Tests;

public sealed class PodDefaultsTests
{
    private const string Head = "apiVersion: v1\nkind: Pod\n";

    [Fact]
    public void Apply_MinimalPod_GetsTheDefaultsOfTheApi()
    {
        var pod = Manifest.ReadPod(Head + "metadata: {generateName: web-}\nspec: {containers: [{name: c, image: nginx}]}", "f").Pod;

        PodDefaults.Apply(pod, new FixedTime(), new Random(1));

        Assert.Matches("^web-[bcdfghjklmnpqrstvwxz2456789]{5}$", pod.Metadata.Name);
        Assert.Equal("default", pod.Metadata.Namespace);
        Assert.Equal('4', pod.Metadata.Uid![14]);
        Assert.True(Guid.TryParseExact(pod.Metadata.Uid, "D", out _));
        Assert.Equal(DateTimeOffset.UnixEpoch, pod.Metadata.CreationTimestamp);
        Assert.Equal("Always", pod.Spec.RestartPolicy);
        Assert.Equal(30, pod.Spec.TerminationGracePeriodSeconds);
        Assert.Equal("ClusterFirst", pod.Spec.DnsPolicy);
        var container = pod.Spec.Containers[0];
        Assert.Equal("Always", container.ImagePullPolicy);
        Assert.Equal("/dev/termination-log", container.TerminationMessagePath);
        Assert.Equal("File", container.TerminationMessagePolicy);
        Assert.Empty(PodValidation.Validate(pod));
    }

    [Fact]
    public void Apply_Twice_ChangesNothingMore()
    {
        var pod = Manifest.ReadPod(
            Head + "metadata: {generateName: x-}\nspec: {volumes: [{name: v}], containers: [{name: c, image: nginx, resources: {limits: {cpu: 1}},"
            + " livenessProbe: {httpGet: {port: 80}}, ports: [{containerPort: 80}]}]}", "f").Pod;
        PodDefaults.Apply(pod);
        var once = KubernetesJson.SerializeToUtf8(pod);

        PodDefaults.Apply(pod);

        Assert.Equal(Encoding.UTF8.GetString(once), Encoding.UTF8.GetString(KubernetesJson.SerializeToUtf8(pod)));
    }

    [Theory]
    [InlineData("nginx", "Always")]
    [InlineData("nginx:latest", "Always")]
    [InlineData("localhost:5000/nginx", "Always")]
    [InlineData("nginx:1.25", "IfNotPresent")]
    [InlineData("nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "IfNotPresent")]
    public void Apply_Image_DecidesThePullPolicy(string image, string policy)
    {
        var pod = Manifest.ReadPod(Head + $"spec: {{initContainers: [{{name: i, image: \"{image}\"}}]}}", "f").Pod;
        PodDefaults.Apply(pod);
        Assert.Equal(policy, pod.Spec.InitContainers![0].ImagePullPolicy);
    }

    [Fact]
    public void Apply_Resources_RequestsComeFromLimits()
    {
        var pod = Manifest.ReadPod(
            Head + "spec: {containers: [{name: c, resources: {limits: {cpu: 2, memory: 1Gi}, requests: {cpu: 1}}}, {name: d, resources: {requests: {cpu: 1}}}]}",
            "f").Pod;
        PodDefaults.Apply(pod);
        Assert.Equal("1", pod.Spec.Containers[0].Resources!.Requests!["cpu"].ToString());
        Assert.Equal("1Gi", pod.Spec.Containers[0].Resources!.Requests!["memory"].ToString());
        Assert.Null(pod.Spec.Containers[1].Resources!.Limits);
    }

    [Fact]
    public void Apply_GivenValues_AreKept()
    {
        var pod = Manifest.ReadPod(
            Head + """
            metadata: {name: given, generateName: g-, namespace: ns, uid: u}
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 0
              dnsPolicy: None
              containers:
              - name: c
                image: nginx
                imagePullPolicy: Never
                ports: [{containerPort: 80, protocol: UDP}]
                readinessProbe: {exec: {command: [x]}, periodSeconds: 1, failureThreshold: 1}
            """, "f").Pod;
        PodDefaults.Apply(pod);
        Assert.Equal(("given", "ns", "u"), (pod.Metadata.Name, pod.Metadata.Namespace, pod.Metadata.Uid));
        Assert.Equal(("Never", 0L, "None"), (pod.Spec.RestartPolicy, pod.Spec.TerminationGracePeriodSeconds, pod.Spec.DnsPolicy));
        var container = pod.Spec.Containers[0];
        Assert.Equal(("Never", "UDP"), (container.ImagePullPolicy, container.Ports![0].Protocol));
        Assert.Equal((1, 1, 1, 1), (container.ReadinessProbe!.PeriodSeconds, container.ReadinessProbe.FailureThreshold,
            container.ReadinessProbe.TimeoutSeconds, container.ReadinessProbe.SuccessThreshold));
    }

    [Fact]
    public void Apply_PortsProbesVolumes_AreFilledIn()
    {
        var pod = Manifest.ReadPod(
            Head + """
            spec:
              hostNetwork: true
              containers:
              - name: c
                ports: [{containerPort: 80}]
                startupProbe: {httpGet: {port: 80}}
                lifecycle: {preStop: {httpGet: {port: 80}}}
              volumes:
              - {name: none}
              - {name: unknown, futureSource: {}}
              - {name: cm, configMap: {name: x}}
              - {name: p, projected: {sources: [{serviceAccountToken: {path: t}}]}}
            """, "f").Pod;
        PodDefaults.Apply(pod);
        var container = pod.Spec.Containers[0];
        Assert.Equal(("TCP", 80), (container.Ports![0].Protocol, container.Ports[0].HostPort));
        Assert.Equal((1, 10, 1, 3), (container.StartupProbe!.TimeoutSeconds, container.StartupProbe.PeriodSeconds,
            container.StartupProbe.SuccessThreshold, container.StartupProbe.FailureThreshold));
        Assert.Equal(("/", "HTTP"), (container.StartupProbe.HttpGet!.Path, container.StartupProbe.HttpGet.Scheme));
        Assert.Equal("/", container.Lifecycle!.PreStop!.HttpGet!.Path);
        Assert.NotNull(pod.Spec.Volumes![0].EmptyDir);
        Assert.Null(pod.Spec.Volumes[1].EmptyDir);
        Assert.Equal(420, pod.Spec.Volumes[2].ConfigMap!.DefaultMode);
        Assert.Equal(3600, pod.Spec.Volumes[3].Projected!.Sources![0].ServiceAccountToken!.ExpirationSeconds);
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;
    }
}
