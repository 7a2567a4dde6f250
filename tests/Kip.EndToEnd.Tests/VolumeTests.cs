using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>Persistent volumes in a real cluster, as disk images of this machine: claims are bound by the real controllers.</summary>
public sealed class VolumeTests(SharedControlPlane cluster) : ServiceAccountStory(cluster), IClassFixture<SharedControlPlane>
{
    private string Image => Path.Combine(Kip.Folder, "data.img");

    public override async Task DisposeAsync()
    {
        await Kip.DoAsync("delete", "cells", "--node", Name);
        if (ControlPlane.Missing() is null)
        {
            await Plane.TryKubectlAsync(null, "delete", "persistentvolume", Name, "--ignore-not-found", "--wait=false");
        }

        await base.DisposeAsync();
    }

    [ControlPlaneFact]
    [PodField("spec.volumes[].persistentVolumeClaim")]
    public async Task Claim_OfAFilesystem_OutlivesThePodAndItsCell()
    {
        MakeImage();
        var host = await StartNodeAsync();
        await Plane.ApplyAsync(Volume() + Claim());

        await Plane.ApplyAsync(Pod("first", "echo kept >/data/file; ls -ld /data; grep ' /data ' /proc/mounts", spec: "securityContext: {runAsUser: 1000, fsGroup: 2000}"));
        await EndsAsync("first");
        var log = await KubectlAsync("logs", "first");
        Assert.Matches("^drwxrwsr-x .* 2000 ", log);
        Assert.Contains(" /data ext4 rw,", log, StringComparison.Ordinal);
        await Wait.UntilAsync("the first cell to be gone", () => Kip.Instances.Count == 0);
        Assert.Equal("", (await Tool.RunAsync("losetup", "--associated", Image)).Trim());
        await Tool.RunAsync("fsck.ext4", "-f", "-n", Image);

        await Plane.ApplyAsync(Pod("second", "cat /data/file", spec: "securityContext: {runAsUser: 1000, fsGroup: 2000}"));
        await EndsAsync("second");
        Assert.Equal("kept\n", await KubectlAsync("logs", "second"));
        Assert.Contains("AttachVolume.Attach succeeded for volume", await KubectlAsync("get", "events"), StringComparison.Ordinal);
        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task Claim_OfABlockDevice_IsTheContainersDevice()
    {
        MakeImage();
        var host = await StartNodeAsync();
        await Plane.ApplyAsync(Volume("volumeMode: Block") + Claim("volumeMode: Block"));

        await Plane.ApplyAsync(Pod("raw", "[ -b /dev/data ] && printf raw | dd of=/dev/data bs=3 count=1 conv=notrunc", container: "volumeDevices: [{name: data, devicePath: /dev/data}]"));
        await EndsAsync("raw");
        await Wait.UntilAsync("the cell to be gone", () => Kip.Instances.Count == 0);

        await using var image = File.OpenRead(Image);
        var start = new byte[3];
        await image.ReadExactlyAsync(start);
        Assert.Equal("raw"u8.ToArray(), start);
        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task Claim_ThatIsNotBound_ThenBoundToWhatIsNotThere_IsWaitedFor()
    {
        var host = await StartNodeAsync();
        await Plane.ApplyAsync(Claim());
        await Plane.ApplyAsync(Pod("waits", "echo ran", spec: $"nodeName: \"{Name}\"")); // the scheduler would hold it back
        await EventAsync("persistentvolumeclaim \"data\" is not bound to a volume yet");

        await Plane.ApplyAsync(Volume());
        await EventAsync($"there is no disk image or block device {Image} on this machine");

        MakeImage();
        await EndsAsync("waits");
        Assert.Equal("ran\n", await KubectlAsync("logs", "waits"));
        await EndAsync(host);
    }

    [ControlPlaneFact]
    [PodField("spec.volumes[].ephemeral")]
    public async Task Ephemeral_GetsTheClaimThatTheClusterMakesForIt()
    {
        MakeImage();
        var host = await StartNodeAsync();
        await Plane.ApplyAsync(Volume());

        await Plane.ApplyAsync(Pod(
            "scratch",
            "echo x >/data/file && df /data",
            volume: "ephemeral: {volumeClaimTemplate: {spec: {storageClassName: \"" + Name + "\", accessModes: [ReadWriteOnce], resources: {requests: {storage: 32Mi} } } } }"));
        await EndsAsync("scratch");

        Assert.Contains("/dev/loop", await KubectlAsync("logs", "scratch"), StringComparison.Ordinal);
        Assert.Equal("scratch", await KubectlAsync("get", "persistentvolumeclaim", "scratch-data", "-o", "jsonpath={.metadata.ownerReferences[0].name}"));
        await EndAsync(host);
    }

    [ControlPlaneFact]
    public async Task Host_KilledWhileAPodHasAVolume_FindsItAgain_AndGivesItBack()
    {
        MakeImage();
        var first = await StartNodeAsync();
        await Plane.ApplyAsync(Volume() + Claim());
        await Plane.ApplyAsync(Pod("server", "until [ -e /data/end ]; do sleep 0.2; done; echo ended"));
        await Wait.UntilAsync("the volume to be attached", () => File.Exists(Image) && Loops().Length > 0);

        await first.SignalAsync("KILL");
        await first.EndsAsync();
        var second = await StartNodeAsync();
        await KubectlAsync("wait", "pod/server", "--for=condition=Ready", "--timeout=90s");
        Assert.Single(Loops().Split('\n'));
        await Wait.UntilAsync("exec by the new host", async () => (await TryAsync("exec", "server", "--", "touch", "/data/end")).ExitCode == 0);
        await EndsAsync("server");

        await Wait.UntilAsync("the cell to be gone", () => Kip.Instances.Count == 0);
        Assert.Equal("", Loops());
        await Tool.RunAsync("fsck.ext4", "-f", "-n", Image);
        await EndAsync(second);
    }

    [ControlPlaneFact]
    public async Task Claim_OfADriverThatIsNotThere_IsRefusedByName()
    {
        var host = await StartNodeAsync();
        await Plane.ApplyAsync(Volume(source: "csi: {driver: ebs.csi.aws.com, volumeHandle: vol-1}") + Claim());
        await Plane.ApplyAsync(Pod("pod", "true"));

        await EventAsync("is of CSI driver ebs.csi.aws.com, which the driver 'local' cannot attach to a cell");
        Assert.Empty(Kip.Instances);
        await EndAsync(host);
    }

    private void MakeImage()
    {
        using var file = File.Create(Image);
        file.SetLength(64 << 20);
    }

    private string Loops()
    {
        var devices = Directory.EnumerateDirectories("/sys/block", "loop*").Select(static d => Path.Combine(d, "loop", "backing_file")).Where(File.Exists);
        return string.Join('\n', devices.Where(file => File.ReadAllText(file).Trim() == Image));
    }

    private string Volume(string spec = "", string? source = null) => $$"""
        apiVersion: v1
        kind: PersistentVolume
        metadata: {name: "{{Name}}"}
        spec:
          capacity: {storage: 64Mi}
          accessModes: [ReadWriteOnce]
          persistentVolumeReclaimPolicy: Retain
          storageClassName: "{{Name}}"
          {{source ?? $"local: {{path: \"{Image}\"}}"}}
          nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: ["{{Name}}"]}]}]} }
          {{spec}}

        """;

    private string Claim(string spec = "") => $$"""
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: data, namespace: "{{Name}}"}
        spec:
          accessModes: [ReadWriteOnce]
          storageClassName: "{{Name}}"
          resources: {requests: {storage: 32Mi} }
          {{spec}}

        """;

    private string Pod(
        string name,
        string script,
        string spec = "",
        string container = "volumeMounts: [{name: data, mountPath: /data}]",
        string volume = "persistentVolumeClaim: {claimName: data}") => $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: "{{name}}", namespace: "{{Name}}"}
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 2
          nodeSelector: {kubernetes.io/hostname: "{{Name}}"}
          tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]
          volumes: [{name: data, {{volume}}}]
          {{spec}}
          containers:
            - name: main
              image: busybox:1.35
              command: [sh, -c, "{{script}}"]
              {{container}}
        """;

    private Task EndsAsync(string pod) => Wait.UntilAsync(
        $"pod {pod} to succeed",
        async () => await KubectlAsync("get", "pod", pod, "-o", "jsonpath={.status.phase}") is var phase && phase != "Failed"
            ? phase == "Succeeded"
            : throw new InvalidOperationException(await KubectlAsync("describe", "pod", pod) + (await TryAsync("logs", pod)).Output));

    private Task EventAsync(string message) => Wait.UntilAsync(
        $"an event '{message}'", async () => (await KubectlAsync("get", "events")).Contains(message, StringComparison.Ordinal));
}
