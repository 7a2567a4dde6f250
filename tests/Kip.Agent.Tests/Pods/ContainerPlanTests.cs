using Kip.Agent.Pods;
using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

public sealed class ContainerPlanTests
{
    private static readonly PulledImage _image = new("sha256:1", null, "");
    private static readonly Cell _cell = new() { LogDirectory = "/log", VolumeDirectory = "/volumes", CgroupParent = "/kip", HostIP = "10.0.0.1", MemoryBytes = 1L << 30 };

    [Theory]
    [InlineData("""{"limits":{"cpu":"500m","memory":"64Mi"},"requests":{"cpu":"250m","memory":"32Mi"}}""", 256, 50000, 64 << 20, 969)]
    [InlineData("""{"limits":{"cpu":"2"}}""", 2048, 200000, 0, 999)]
    [InlineData("""{"limits":{"cpu":"1m"}}""", 2, 1000, 0, 999)]
    [InlineData("""{"limits":{"cpu":"1","memory":"1Gi"}}""", 1024, 100000, 1 << 30, 0)]
    [InlineData("{}", 2, 0, 0, 1000)]
    [PodField("spec.containers[].resources.limits", "spec.containers[].resources.requests")]
    public void Resources_ByTheKubeletsFormulas(string resources, long shares, long quota, long memory, long oomScore)
    {
        var pod = Pod($"{{\"containers\":[{{\"name\":\"a\",\"resources\":{resources}}}]}}");

        var plan = Plan(pod).Linux.Resources;

        Assert.Equal((shares, quota, memory, oomScore), (plan.CpuShares, plan.CpuQuota, plan.MemoryLimitInBytes, plan.OomScoreAdj));
    }

    [Theory]
    [InlineData("{}", "{}", "BestEffort", 1000)]
    [InlineData("""{"limits":{"cpu":"1","memory":"1Gi"}}""", "{}", "Guaranteed", 0)]
    [InlineData("""{"requests":{"memory":"512Mi"}}""", "{}", "Burstable", 750)] // half of it
    [InlineData("""{"requests":{"memory":"512Mi"}}""", """{"requests":{"memory":"256Mi"},"limits":{"cpu":"1","memory":"256Mi"}}""", "Burstable", 625)] // 256 Mi of its own and half of the rest
    [InlineData("""{"limits":{"cpu":"1"}}""", """{"limits":{"cpu":"1","memory":"256Mi"}}""", "Burstable", 750)]
    [PodField("spec.resources")]
    public void Resources_OfThePod_DecideItsClassAndAreSharedByItsContainers(string pods, string containers, string qosClass, long oomScore)
    {
        var pod = Pod($"{{\"resources\":{pods},\"containers\":[{{\"name\":\"a\",\"resources\":{containers}}},{{\"name\":\"b\"}}]}}");

        var plan = Plan(pod).Linux.Resources;

        Assert.Equal((qosClass, oomScore), (Resources.QosClass(pod), plan.OomScoreAdj));
    }

    [Theory]
    [InlineData("""{"runAsNonRoot":true}""", null, "", "container has runAsNonRoot and image will run as root")]
    [InlineData("""{"runAsNonRoot":true}""", 0L, "", "container has runAsNonRoot and image will run as root")]
    [InlineData("""{"runAsNonRoot":true}""", null, "app", "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root")]
    [InlineData("""{"runAsNonRoot":true,"runAsUser":0}""", 7L, "", "container's runAsUser breaks non-root policy")]
    [InlineData("""{"runAsNonRoot":true,"runAsUser":7}""", null, "", null)]
    [InlineData("""{"runAsNonRoot":true}""", 7L, "", null)]
    [PodField("spec.securityContext.runAsNonRoot")]
    public void RunAsNonRoot_IsChecked(string security, long? user, string userName, string? complaint)
    {
        var pod = Pod($"{{\"securityContext\":{security},\"containers\":[{{\"name\":\"a\"}}]}}");
        var image = new PulledImage("sha256:1", user, userName);

        var error = Record.Exception(() => ContainerPlan.ToCri(pod, pod.Spec.Containers[0], 0, image, [], "", _cell));

        Assert.Equal(complaint, error?.Message);
    }

    [Theory]
    [InlineData("RuntimeDefault", "unconfined", "Unconfined", "RuntimeDefault", "runtime/default")]
    [InlineData("Unconfined", "runtime/default", "RuntimeDefault", "Unconfined", "unconfined")]
    [InlineData(null, "runtime/default", "Unconfined", "RuntimeDefault", "runtime/default")]
    [InlineData(null, "unconfined", "RuntimeDefault", "Unconfined", "unconfined")]
    [InlineData(null, null, "RuntimeDefault", "RuntimeDefault", "runtime/default")]
    [InlineData("Localhost", null, null, "Localhost", "localhost/mine")]
    [InlineData(null, "localhost/mine", null, "Localhost", "localhost/mine")]
    [InlineData(null, null, null, null, "")]
    [PodField("spec.securityContext.appArmorProfile.type", "spec.containers[].securityContext.appArmorProfile.type",
        "metadata.annotations[container.apparmor.security.beta.kubernetes.io]")]
    public void AppArmor_ByTheKubeletsOrder(
        string? own, string? annotation, string? pods, string? expected, string expectedText)
    {
        var pod = Pod("""{"containers":[{"name":"a"}]}""");
        pod.Metadata.Annotations = annotation is null ? null : new() { ["container.apparmor.security.beta.kubernetes.io/a"] = annotation };
        pod.Spec.SecurityContext = pods is null ? null : new PodSecurityContext { AppArmorProfile = new AppArmorProfile { Type = pods } };
        pod.Spec.Containers[0].SecurityContext = own is null ? null : new SecurityContext { AppArmorProfile = new AppArmorProfile { Type = own, LocalhostProfile = "mine" } };

        var context = Plan(pod).Linux.SecurityContext;

        Assert.Equal((expected, expectedText), (context.Apparmor?.ProfileType.ToString(), context.ApparmorProfile));
    }

    [Fact]
    [PodField("spec.securityContext.runAsUser", "spec.securityContext.runAsGroup", "spec.containers[].securityContext.runAsUser",
        "spec.securityContext.supplementalGroups")]
    public void SecurityContext_OfTheContainer_WinsOverThePods()
    {
        var pod = Pod("""
            {"securityContext":{"runAsUser":1,"runAsGroup":2,"fsGroup":3,"supplementalGroups":[4],"seccompProfile":{"type":"RuntimeDefault"}},
             "containers":[{"name":"a","securityContext":{"runAsUser":5,"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,
               "capabilities":{"add":["NET_ADMIN"],"drop":["ALL"]}}}]}
            """);

        var context = Plan(pod).Linux.SecurityContext;

        Assert.Equal((5L, 2L), (context.RunAsUser.Value, context.RunAsGroup.Value));
        Assert.Equal([4L, 3L], context.SupplementalGroups);
        Assert.True(context.NoNewPrivs && context.ReadonlyRootfs);
        Assert.Equal(("NET_ADMIN", "ALL"), (context.Capabilities.AddCapabilities[0], context.Capabilities.DropCapabilities[0]));
        Assert.Equal(SecurityProfile.Types.ProfileType.RuntimeDefault, context.Seccomp.ProfileType);
        Assert.Contains("/proc/kcore", context.MaskedPaths);
    }

    [Fact]
    [PodField("spec.containers[].env", "spec.containers[].env[].valueFrom.fieldRef", "spec.containers[].command")]
    public void Environment_FromFields_IsResolvedAndNotExpanded()
    {
        var pod = Pod("""
            {"containers":[{"name":"a","command":["run","$(IP)","$$(IP)","$(NONE)"],"env":[
              {"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
              {"name":"LABEL","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['x']"}}},
              {"name":"URL","value":"http://$(IP)/"}]}]}
            """);
        pod.Metadata.Labels = new() { ["x"] = "a $(IP) b" };

        var plan = ContainerPlan.ToCri(pod, pod.Spec.Containers[0], 0, _image, [], "10.1.2.3", _cell);

        Assert.Equal(["run", "10.1.2.3", "$(IP)", "$(NONE)"], plan.Command);
        Assert.Equal(["IP=10.1.2.3", "LABEL=a $(IP) b", "URL=http://10.1.2.3/"], plan.Envs.Select(each => $"{each.Key}={each.Value}"));
    }

    [Fact]
    [PodField("spec.hostNetwork", "spec.hostPID", "spec.hostIPC")]
    public void Sandbox_OfAHostPod_SharesTheCell()
    {
        var pod = Pod("""{"hostNetwork":true,"hostPID":true,"hostIPC":true,"containers":[{"name":"a","ports":[{"containerPort":80,"hostPort":80}]}]}""");

        var sandbox = SandboxPlan.ToCri(pod, 0, _cell);

        var namespaces = sandbox.Linux.SecurityContext.NamespaceOptions;
        Assert.Equal((NamespaceMode.Node, NamespaceMode.Node, NamespaceMode.Node), (namespaces.Network, namespaces.Pid, namespaces.Ipc));
        Assert.Equal("", sandbox.Hostname);
        Assert.Empty(sandbox.PortMappings);
        Assert.Equal("/kip/poduid", sandbox.Linux.CgroupParent);
        Assert.Equal("/log/default_pod_uid", sandbox.LogDirectory);
    }

    [Fact]
    [PodField("spec.containers[].stdin", "spec.containers[].stdinOnce", "spec.containers[].tty")]
    public void Streams_AreWhatTheContainerAsksFor()
    {
        var plan = Plan(Pod("""{"containers":[{"name":"a","stdin":true,"stdinOnce":true,"tty":true}]}"""));
        var none = Plan(Pod("""{"containers":[{"name":"a"}]}"""));

        Assert.Equal((true, true, true), (plan.Stdin, plan.StdinOnce, plan.Tty));
        Assert.Equal((false, false, false), (none.Stdin, none.StdinOnce, none.Tty));
    }

    [Fact]
    [PodField("spec.securityContext.seccompProfile.localhostProfile")]
    public void Seccomp_OfThePod_IsThatOfContainersWithoutOne()
    {
        var pod = Pod("""{"securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"mine/p.json"}},"containers":[{"name":"a"}]}""");

        var profile = Plan(pod).Linux.SecurityContext.Seccomp;

        Assert.Equal(profile, SandboxPlan.ToCri(pod, 0, _cell).Linux.SecurityContext.Seccomp);
        Assert.Equal((SecurityProfile.Types.ProfileType.Localhost, "/var/lib/kubelet/seccomp/mine/p.json"), (profile.ProfileType, profile.LocalhostRef));
    }

    private static ContainerConfig Plan(Pod pod) => ContainerPlan.ToCri(pod, pod.Spec.Containers[0], 0, _image, [], "", _cell);

    private static Pod Pod(string spec) => KubernetesJson.DeserializePod(System.Text.Encoding.UTF8.GetBytes(
        $"{{\"metadata\":{{\"name\":\"pod\",\"namespace\":\"default\",\"uid\":\"uid\"}},\"spec\":{spec}}}"));
}
