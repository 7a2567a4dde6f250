using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Kip.Kubernetes.Configuration;

/// <summary>A program that prints credentials (client-go credential plugins, v1 and v1beta1).</summary>
internal sealed class ExecPlugin
{
    private const string Group = "client.authentication.k8s.io";
    private const int MaxOutput = 1024 * 1024;
    private const int ShownErrors = 2000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly string _where;
    private readonly string _command;
    private readonly string _apiVersion;
    private readonly ExecConfig _config;
    private readonly string _info;

    private ExecPlugin(string where, string command, ExecConfig config, string info)
    {
        _where = where;
        _command = command;
        _apiVersion = config.ApiVersion!;
        _config = config;
        _info = info;
    }

    /// <param name="path">The kubeconfig file, for commands relative to it.</param>
    /// <param name="where">The plugin's place in it, for messages.</param>
    /// <param name="config">The plugin.</param>
    /// <param name="cluster">The cluster that credentials are for.</param>
    /// <param name="clusterPath">The file the cluster is in.</param>
    public static ExecPlugin Create(string path, string where, ExecConfig config, KubeConfigCluster cluster, string clusterPath)
    {
        if (string.IsNullOrEmpty(config.Command))
        {
            throw new KubernetesConfigurationException($"{where}.command: there is none");
        }

        if (config.ApiVersion is not ($"{Group}/v1" or $"{Group}/v1beta1"))
        {
            throw new KubernetesConfigurationException($"{where}.apiVersion: {config.ApiVersion ?? "nothing"} is neither {Group}/v1 nor {Group}/v1beta1");
        }

        if (config.InteractiveMode == "Always")
        {
            throw new KubernetesConfigurationException($"{where}.interactiveMode: the plugin wants a terminal, and there is none");
        }

        // A bare name is looked up in PATH; what has a slash is a path, relative to the file.
        var command = config.Command.Contains('/', StringComparison.Ordinal)
            ? Path.GetFullPath(config.Command, Path.GetDirectoryName(Path.GetFullPath(path))!)
            : config.Command;
        var info = new ExecCredential
        {
            ApiVersion = config.ApiVersion,
            Kind = "ExecCredential",
            Spec = new ExecCredentialSpec { Cluster = config.ProvideClusterInfo == true ? DescribeCluster(cluster, clusterPath) : null },
        };
        return new ExecPlugin(where, command, config, JsonSerializer.Serialize(info, ConfigurationJsonContext.Default.ExecCredential));
    }

    /// <summary>Runs the program.</summary>
    /// <exception cref="KubernetesConfigurationException">It cannot be run, fails, or prints no credentials.</exception>
    public async Task<(KubernetesCredential Credential, DateTimeOffset? Expires)> RunAsync(
        TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Patience, timeProvider);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        using var process = Start();
        try
        {
            var output = ReadAsync(process.StandardOutput.BaseStream, ended.Token);
            var errors = ReadAsync(process.StandardError.BaseStream, ended.Token);
            await process.WaitForExitAsync(ended.Token);
            if (process.ExitCode != 0)
            {
                throw new KubernetesConfigurationException(
                    $"{_where}: {_command} ended with exit code {process.ExitCode}: {Shorten(Encoding.UTF8.GetString((await errors).Span))}");
            }

            await errors;
            return Read((await output).Span);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new KubernetesConfigurationException($"{_where}: {_command} did not end within {Patience.TotalSeconds} s");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static ExecCluster DescribeCluster(KubeConfigCluster cluster, string path)
    {
        var authorities = cluster switch
        {
            { CertificateAuthorityData: { Length: > 0 } data } => Convert.FromBase64String(data),
            { CertificateAuthority: { Length: > 0 } file } => File.ReadAllBytes(
                Path.GetFullPath(file, Path.GetDirectoryName(Path.GetFullPath(path))!)),
            _ => null,
        };
        JsonElement? config = null;
        if (cluster.Extensions is { ValueKind: JsonValueKind.Array } extensions)
        {
            foreach (var extension in extensions.EnumerateArray())
            {
                if (extension.TryGetProperty("name", out var name) && name.ValueEquals($"{Group}/exec")
                    && extension.TryGetProperty("extension", out var value))
                {
                    config = value.Clone();
                }
            }
        }

        return new ExecCluster
        {
            Server = cluster.Server,
            TlsServerName = cluster.TlsServerName,
            InsecureSkipTlsVerify = cluster.InsecureSkipTlsVerify,
            CertificateAuthorityData = authorities,
            ProxyUrl = cluster.ProxyUrl,
            Config = config,
        };
    }

    private Process Start()
    {
        var start = new ProcessStartInfo(_command, _config.Args ?? [])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var variable in _config.Env ?? [])
        {
            start.Environment[variable.Name] = variable.Value;
        }

        start.Environment["KUBERNETES_EXEC_INFO"] = _info;
        try
        {
            var process = Process.Start(start)!;
            process.StandardInput.Close();
            return process;
        }
        catch (Win32Exception e)
        {
            var hint = string.IsNullOrWhiteSpace(_config.InstallHint) ? "" : $"; {_config.InstallHint.Trim()}";
            throw new KubernetesConfigurationException($"{_where}.command: {_command} cannot be run: {e.Message}{hint}", e);
        }
    }

    /// <summary>Reads to the end, so that the program is not held up, and keeps a little more than it may print.</summary>
    private static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = new MemoryStream();
        var chunk = new byte[4096];
        int read;
        while ((read = await stream.ReadAsync(chunk, cancellationToken)) > 0)
        {
            if (buffer.Length <= MaxOutput)
            {
                buffer.Write(chunk, 0, read);
            }
        }

        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    private (KubernetesCredential Credential, DateTimeOffset? Expires) Read(ReadOnlySpan<byte> output)
    {
        if (output.Length > MaxOutput)
        {
            throw new KubernetesConfigurationException($"{_where}: {_command} printed more than {MaxOutput} bytes");
        }

        ExecCredential answer;
        try
        {
            answer = KubernetesJson.Deserialize(output, ConfigurationJsonContext.Default.ExecCredential);
        }
        catch (JsonException e)
        {
            // The output is not shown: it may hold a token.
            throw new KubernetesConfigurationException($"{_where}: {_command} printed no ExecCredential", e);
        }

        if (answer.ApiVersion != _apiVersion)
        {
            throw new KubernetesConfigurationException($"{_where}: {_command} answered in {answer.ApiVersion}, asked for was {_apiVersion}");
        }

        var status = answer.Status;
        var certificate = status is { ClientCertificateData: { Length: > 0 } chain, ClientKeyData: { Length: > 0 } key }
            ? Pem.ReadClientCertificate(
                chain, key, $"{_where}: clientCertificateData of {_command}", $"{_where}: clientKeyData of {_command}")
            : null;
        var token = string.IsNullOrEmpty(status?.Token) ? null : status.Token;
        return token is null && certificate is null
            ? throw new KubernetesConfigurationException($"{_where}: {_command} printed neither a token nor a certificate with its key")
            : (new KubernetesCredential { Token = token, ClientCertificate = certificate }, status!.ExpirationTimestamp);
    }

    private static string Shorten(string text) => text.Trim() is { Length: > ShownErrors } trimmed ? $"{trimmed[..ShownErrors]}…" : text.Trim();
}
