using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary>Pulls from a real registry that runs on this machine.</summary>
public sealed class RegistryTests : KipStory
{
    private const string Password = "correct horse";

    [KipFact("docker-registry", "skopeo", "htpasswd")]
    public async Task Run_PrivateImageWithLogin_Runs()
    {
        using var registry = await Registry.StartAsync("team/tool:1", Password);
        var host = PlainHttp(registry);

        var run = await Kip.RunPodAsync(PodOf($"{host}/team/tool:1"), "--registry-config", Login(host, Password));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal("pulled and ran\n", run.Output);
        Assert.Contains($"Successfully pulled image \"{host}/team/tool:1\"", run.Errors, StringComparison.Ordinal);
    }

    [KipFact("docker-registry", "skopeo", "htpasswd")]
    public async Task Run_WrongPassword_SaysWhyAndCanBeStopped()
    {
        using var registry = await Registry.StartAsync("team/tool:1", Password);
        var host = PlainHttp(registry);

        var end = await WarnsAsync(PodOf($"{host}/team/tool:1"), "! Failed: Error: ErrImagePull", "--registry-config", Login(host, "wrong"));

        Assert.Contains($"! Failed: Failed to pull image \"{host}/team/tool:1\"", end.Errors, StringComparison.Ordinal);
        Assert.Matches("authorization failed|401 Unauthorized|no basic auth credentials", end.Errors);
        Assert.DoesNotContain("wrong", end.Errors, StringComparison.Ordinal);
    }

    [KipFact("docker-registry", "skopeo", "htpasswd")]
    public async Task Run_NoLogin_SaysWhyAndCanBeStopped()
    {
        using var registry = await Registry.StartAsync("team/tool:1", Password);

        var end = await WarnsAsync(PodOf($"{PlainHttp(registry)}/team/tool:1"), "! Failed: Error: ErrImagePull");

        Assert.Matches("authorization failed|401 Unauthorized|no basic auth credentials", end.Errors);
    }

    [KipFact("docker-registry", "skopeo")]
    public async Task Run_ImageDoesNotExist_SaysWhyAndCanBeStopped()
    {
        using var registry = await Registry.StartAsync("team/tool:1", password: null);

        var end = await WarnsAsync(PodOf($"{PlainHttp(registry)}/team/no-such-tool:1"), "! Failed: Error: ErrImagePull");

        Assert.Contains("team/no-such-tool:1: not found", end.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Run_NoRegistryThere_SaysWhyAndCanBeStopped()
    {
        Kip.Configure($"  registries: [{{registry: '{Kip.Gateway}:9', mirrors: ['http://{Kip.Gateway}:9']}}]");

        var end = await WarnsAsync(PodOf($"{Kip.Gateway}:9/tool:1"), "! Failed: Error: ErrImagePull");

        Assert.Contains("connection refused", end.Errors, StringComparison.Ordinal);
    }

    [KipFact("docker-registry", "skopeo")]
    public async Task Run_MirrorOfDockerHub_IsAskedInItsPlace()
    {
        using var registry = await Registry.StartAsync("library/tool:1", password: null);
        Kip.Configure($"  registries: [{{registry: docker.io, mirrors: ['http://{Kip.Gateway}:{registry.Port}']}}]");

        var run = await Kip.RunPodAsync(PodOf("tool:1"));

        Assert.True(run.ExitCode == 0, run.ToString());
        Assert.Equal("pulled and ran\n", run.Output);
    }

    [KipFact]
    public async Task Run_ImageNeverPulledAndNotThere_SaysWhyAndCanBeStopped()
    {
        var end = await WarnsAsync(PodOf("no-such-image:1") + "\n      imagePullPolicy: Never\n", "! ErrImageNeverPull: ");

        Assert.Contains("Container image \"no-such-image:1\" is not present with pull policy of Never", end.Errors, StringComparison.Ordinal);
    }

    private static string PodOf(string image) => $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: story}
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: {{image}}
              command: [echo, pulled and ran]
        """;

    // As in Kubernetes, a pod whose image cannot be had waits for it: who looks at it sees why, and decides.
    private async Task<KipResult> WarnsAsync(string pod, string warning, params string[] options)
    {
        var run = Kip.StartPod(pod, options);
        await run.SaysAsync(warning);
        await run.SignalAsync("INT");
        var end = await run.EndsAsync();
        Assert.True(end.ExitCode == 130, end.ToString());
        Assert.Equal("", end.Output);
        return end;
    }

    private string PlainHttp(Registry registry)
    {
        var host = $"{Kip.Gateway}:{registry.Port}";
        Kip.Configure($"  registries: [{{registry: '{host}', mirrors: ['http://{host}']}}]");
        return host;
    }

    private string Login(string host, string password)
    {
        var file = Path.Combine(Kip.Folder, "config.json");
        File.WriteAllText(file, Registry.Login(host, password));
        return file;
    }
}
