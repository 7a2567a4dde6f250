using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>A cluster whose API server verifies kubelets.</summary>
public sealed class VerifyingControlPlane : SharedControlPlane
{
    protected override IReadOnlyList<string> ApiServerFlags => ["--kubelet-certificate-authority={pki}/ca.crt"];
}

/// <summary>The kubelet API's certificate by CSR, asked for by the service account that deploy/rbac.yaml makes.</summary>
public sealed class ServingCertificateTests(VerifyingControlPlane cluster) : ServiceAccountStory(cluster), IClassFixture<VerifyingControlPlane>
{
    public override async Task DisposeAsync()
    {
        await Kip.DoAsync("delete", "cells", "--node", Name);
        await base.DisposeAsync();
    }

    [ControlPlaneFact]
    public async Task Logs_ApiServerVerifiesKubelets_WorkOnceTheRequestIsApproved()
    {
        var host = await StartNodeAsync();
        await Plane.ApplyAsync($$$"""
            apiVersion: v1
            kind: Pod
            metadata: {name: web, namespace: "{{{Name}}}" }
            spec:
              nodeName: "{{{Name}}}"
              terminationGracePeriodSeconds: 1
              containers: [{name: main, image: "busybox:1.35", command: [sh, -c, "echo started; exec sleep 100000"]}]
            """);
        await KubectlAsync("wait", "pod/web", "--for=condition=Ready", "--timeout=120s");
        await host.SaysAsync("kubectl certificate approve ");
        var refused = await TryAsync("logs", "web");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("x509", refused.Errors, StringComparison.Ordinal);
        Assert.Contains("kubectl certificate approve", await Plane.KubectlAsync("describe", "node", Name), StringComparison.Ordinal);

        var requests = (await Plane.KubectlAsync("get", "csr", "-o", "jsonpath={.items[*].metadata.name}")).Split(' ');
        await Plane.KubectlAsync(["certificate", "approve", .. requests]);

        await Wait.UntilAsync("the log", async () => (await TryAsync("logs", "web")).Output == "started\n", () => host.Errors);
        Assert.Equal("hello\n", await KubectlAsync("exec", "web", "--", "echo", "hello"));

        // The next host has it already.
        await host.SignalAsync("KILL");
        await host.EndsAsync();
        var next = await StartNodeAsync();
        await Wait.UntilAsync("the log by the next host", async () => (await TryAsync("logs", "web")).Output == "started\n", () => next.Errors);
        Assert.Equal(requests, (await Plane.KubectlAsync("get", "csr", "-o", "jsonpath={.items[*].metadata.name}")).Split(' '));
        await EndAsync(next);
    }
}
