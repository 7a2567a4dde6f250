using System.Text.Json.Nodes;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;

namespace Kip.Kubernetes.Tests.Configuration;

public sealed class ExecCredentialsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    // A clock that stands still: a plugin may take any time here.
    private readonly VirtualClock _clock = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("v1")]
    [InlineData("v1beta1")]
    public async Task Get_Token_IsKeptUntilItExpires(string version)
    {
        var credentials = await LoadAsync(version, $$$"""
            echo run >>"$RUNS"
            echo '{"apiVersion":"client.authentication.k8s.io/{{{version}}}","kind":"ExecCredential","status":{"token":"'$(wc -l <"$RUNS")'","expirationTimestamp":"2030-01-01T01:00:00Z"}}'
            """);
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(async () => await credentials.GetAsync(default))));
        Assert.All(answers, answer => Assert.Equal("1", answer.Token));
        _clock.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal("1", (await credentials.GetAsync(default)).Token);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("2", (await credentials.GetAsync(default)).Token);
    }

    [Fact]
    public async Task Get_Refused_RunsThePluginAgain()
    {
        var credentials = await LoadAsync("v1", """
            echo run >>"$RUNS"
            echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$(wc -l <"$RUNS")'"}}'
            """);
        var first = await credentials.GetAsync(default);
        Assert.True(credentials.Refuse(first));
        var second = await credentials.GetAsync(default);
        Assert.True(credentials.Refuse(first));
        Assert.Same(second, await credentials.GetAsync(default));
        Assert.Equal(("1", "2"), (first.Token, second.Token));
    }

    [Fact]
    public async Task Get_Plugin_IsToldArgumentsVariablesAndCluster()
    {
        var credentials = await LoadAsync(
            "v1",
            """
            printf '%s' "$KUBERNETES_EXEC_INFO" >"$INFO"
            echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$1 $2"'"}}'
            """,
            "args: [a, 'b c'], provideClusterInfo: true");
        Assert.Equal("a b c", (await credentials.GetAsync(default)).Token);
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse(
                """
                {"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
                 "spec":{"interactive":false,"cluster":{"server":"https://x","config":{"audience":"me"}}}}
                """),
            JsonNode.Parse(await File.ReadAllTextAsync(_directory["info"]))));
    }

    [Fact]
    public async Task Get_Certificate_IsRead()
    {
        using var pki = new FakePki();
        var (certificate, key) = pki.Client("me");
        var status = new JsonObject { ["clientCertificateData"] = certificate, ["clientKeyData"] = key };
        _directory.Write("answer", new JsonObject
        {
            ["apiVersion"] = "client.authentication.k8s.io/v1",
            ["kind"] = "ExecCredential",
            ["status"] = status,
        }.ToJsonString());
        var credentials = await LoadAsync("v1", "cat \"${INFO%info}answer\"");
        Assert.Equal("CN=me", (await credentials.GetAsync(default)).ClientCertificate!.TargetCertificate.Subject);
    }

    [Theory]
    [InlineData("echo 'no way' >&2; exit 3", "ended with exit code 3: no way")]
    [InlineData("echo hello", "printed no ExecCredential")]
    [InlineData("echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'", "printed neither a token nor a certificate")]
    [InlineData("echo '{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"status\":{\"token\":\"x\"}}'", "asked for was client.authentication.k8s.io/v1")]
    [InlineData("head -c 2000000 /dev/zero", "printed more than")]
    public async Task Get_PluginFails_SaysHow(string script, string expected)
    {
        var credentials = await LoadAsync("v1", script);
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(async () => await credentials.GetAsync(default));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.StartsWith($"{_directory["config"]}: users[0].user.exec: ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_NoSuchPlugin_GivesTheHint()
    {
        var config = _directory.Write("config", Config("v1", "./none", "installHint: get it somewhere"));
        var credentials = (await KubernetesConfiguration.LoadAsync(config, null, _clock, default)).Credentials;
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(async () => await credentials.GetAsync(default));
        Assert.Contains("users[0].user.exec.command: ", e.Message, StringComparison.Ordinal);
        Assert.EndsWith("; get it somewhere", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_PluginHangs_IsKilled()
    {
        var credentials = await LoadAsync("v1", "echo $$ >\"$INFO\"; exec sleep 1000");
        var get = credentials.GetAsync(default).AsTask();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!File.Exists(_directory["info"]) || (await File.ReadAllTextAsync(_directory["info"], limit.Token)).Length == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, limit.Token);
        }

        _clock.Advance(TimeSpan.FromMinutes(1));
        var e = await Assert.ThrowsAsync<KubernetesConfigurationException>(() => get);
        Assert.Contains("did not end within 60 s", e.Message, StringComparison.Ordinal);
        var process = (await File.ReadAllTextAsync(_directory["info"], limit.Token)).Trim();
        while (File.Exists($"/proc/{process}/cmdline") && (await File.ReadAllTextAsync($"/proc/{process}/cmdline", limit.Token)).Contains("sleep", StringComparison.Ordinal))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, limit.Token);
        }
    }

    private static string Config(string version, string command, string more) => $$$"""
        current-context: x
        contexts: [{name: x, context: {cluster: k, user: u}}]
        clusters:
        - name: k
          cluster:
            server: https://x
            extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: me} }]
        users: [{name: u, user: {exec: {command: '{{{command}}}', apiVersion: client.authentication.k8s.io/{{{version}}}, {{{more}}} } } }]
        """;

    private async Task<IKubernetesCredentials> LoadAsync(string version, string script, string? more = null)
    {
        var plugin = _directory.Write("plugin", $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(plugin, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var environment = $"env: [{{name: RUNS, value: '{_directory["runs"]}'}}, {{name: INFO, value: '{_directory["info"]}'}}]";
        var config = _directory.Write("config", Config(version, "./plugin", $"{environment}{(more is null ? "" : $", {more}")}"));
        return (await KubernetesConfiguration.LoadAsync(config, null, _clock, default)).Credentials;
    }
}
