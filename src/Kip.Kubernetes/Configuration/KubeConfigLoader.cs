using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Kip.Kubernetes.Configuration;

/// <summary>Makes a configuration of kubeconfig files. Of entries with the same name the first file's counts, as with kubectl.</summary>
internal sealed class KubeConfigLoader
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private readonly TimeProvider _timeProvider;
    private readonly List<(string Path, KubeConfig Config)> _files;

    private KubeConfigLoader(List<(string Path, KubeConfig Config)> files, TimeProvider timeProvider)
    {
        _files = files;
        _timeProvider = timeProvider;
    }

    private string FilesInWords => string.Join(", ", _files.Select(file => file.Path));

    public static async Task<KubernetesConfiguration> LoadAsync(
        IReadOnlyList<string> paths, string? context, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var files = new List<(string Path, KubeConfig Config)>();
        foreach (var path in paths)
        {
            try
            {
                var text = await File.ReadAllTextAsync(path, cancellationToken);
                files.Add((path, Manifest.ReadConfiguration(text, path, ConfigurationJsonContext.Default.KubeConfig).Value));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new KubernetesConfigurationException($"{path}: {e.Message}", e);
            }
            catch (ManifestException e)
            {
                throw new KubernetesConfigurationException(e.Message, e);
            }
        }

        return new KubeConfigLoader(files, timeProvider).Load(context);
    }

    private KubernetesConfiguration Load(string? wanted)
    {
        var name = wanted ?? _files.Select(file => file.Config.CurrentContext).FirstOrDefault(current => !string.IsNullOrEmpty(current))
            ?? throw new KubernetesConfigurationException($"{FilesInWords}: there is no current-context; name a context");
        var context = Find("contexts", name, config => config.Contexts, entry => entry.Name, entry => entry.Context);
        var clusterName = context.Entry.Cluster
            ?? throw new KubernetesConfigurationException($"{context.Where}.cluster: there is none");
        var cluster = Find("clusters", clusterName, config => config.Clusters, entry => entry.Name, entry => entry.Cluster);
        var server = ReadServer(cluster);
        var (authorities, authorityFile) = ReadAuthorities(cluster);
        var configuration = new KubernetesConfiguration
        {
            Server = server,
            Namespace = context.Entry.Namespace is { Length: > 0 } @namespace ? @namespace : "default",
            CertificateAuthorities = authorities,
            CertificateAuthorityFile = authorityFile,
            SkipTlsVerify = cluster.Entry.InsecureSkipTlsVerify ?? false,
            TlsServerName = NullIfEmpty(cluster.Entry.TlsServerName),
            Proxy = ReadProxy(cluster),
        };
        if (NullIfEmpty(context.Entry.User) is not { } userName)
        {
            return configuration;
        }

        var user = Find("users", userName, config => config.Users, entry => entry.Name, entry => entry.User);
        return configuration with { Credentials = ReadCredentials(user, cluster), Headers = ReadImpersonation(user.Entry) };
    }

    private Found<T> Find<TNamed, T>(
        string list, string name, Func<KubeConfig, List<TNamed>?> entries, Func<TNamed, string> nameOf, Func<TNamed, T> valueOf)
    {
        foreach (var (path, config) in _files)
        {
            var index = entries(config)?.FindIndex(entry => nameOf(entry) == name) ?? -1;
            if (index >= 0)
            {
                var singular = list[..^1];
                return new Found<T>(path, $"{path}: {list}[{index}].{singular}", valueOf(entries(config)![index]));
            }
        }

        var known = _files.SelectMany(file => entries(file.Config) ?? []).Select(nameOf).Distinct().ToArray();
        throw new KubernetesConfigurationException(
            $"{FilesInWords}: {list}: there is none named {name}; there {(known.Length == 0 ? "are none at all" : $"is {string.Join(", ", known)}")}");
    }

    private static Uri ReadServer(Found<KubeConfigCluster> cluster)
    {
        var text = cluster.Entry.Server is { Length: > 0 } given
            ? given
            : throw new KubernetesConfigurationException($"{cluster.Where}.server: there is none");
        if (!text.Contains("://", StringComparison.Ordinal))
        {
            text = $"https://{text}";
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var server) && server.Scheme is "http" or "https"
            ? server
            : throw new KubernetesConfigurationException($"{cluster.Where}.server: {text} is no http or https address");
    }

    private static Uri? ReadProxy(Found<KubeConfigCluster> cluster) => NullIfEmpty(cluster.Entry.ProxyUrl) switch
    {
        null => null,
        var text when Uri.TryCreate(text, UriKind.Absolute, out var proxy) && proxy.Scheme is "http" or "https" or "socks5" => proxy,
        var text => throw new KubernetesConfigurationException($"{cluster.Where}.proxy-url: {text} is no http, https or socks5 address"),
    };

    private static (X509Certificate2Collection? Authorities, string? File) ReadAuthorities(Found<KubeConfigCluster> cluster)
    {
        var entry = cluster.Entry;
        var where = $"{cluster.Where}.certificate-authority";
        if (NullIfEmpty(entry.CertificateAuthorityData) is { } data)
        {
            return (Pem.ReadAuthorities(Decode(data, $"{where}-data"), $"{where}-data"), null);
        }

        if (NullIfEmpty(entry.CertificateAuthority) is { } file)
        {
            var path = cluster.Resolve(file);
            _ = Pem.ReadAuthorities(ReadFile(path, where), path);
            return (null, path);
        }

        return (null, null);
    }

    private IKubernetesCredentials ReadCredentials(Found<KubeConfigUser> user, Found<KubeConfigCluster> cluster)
    {
        var entry = user.Entry;
        if (entry.AuthProvider is not null)
        {
            throw new KubernetesConfigurationException($"{user.Where}.auth-provider: Kubernetes has removed these; use exec");
        }

        if (!string.IsNullOrEmpty(entry.Username) || !string.IsNullOrEmpty(entry.Password))
        {
            throw new KubernetesConfigurationException($"{user.Where}.username: Kubernetes has removed passwords; use a token, a certificate or exec");
        }

        if (entry.Exec is { } exec)
        {
            return new ExecCredentials(ExecPlugin.Create(user.Path, $"{user.Where}.exec", exec, cluster.Entry, cluster.Path), _timeProvider);
        }

        var tokenFile = NullIfEmpty(entry.TokenFile) is { } file ? CredentialFiles.Token(user.Resolve(file), _timeProvider) : null;
        _ = tokenFile?.Get();
        var (certificate, certificateFiles) = ReadCertificate(user);
        return new UserCredentials(NullIfEmpty(entry.Token), tokenFile, certificate, certificateFiles);
    }

    private (SslStreamCertificateContext? Certificate, ReloadedFile<SslStreamCertificateContext>? Files) ReadCertificate(Found<KubeConfigUser> user)
    {
        var entry = user.Entry;
        var certificateData = NullIfEmpty(entry.ClientCertificateData);
        var keyData = NullIfEmpty(entry.ClientKeyData);
        var certificateFile = NullIfEmpty(entry.ClientCertificate);
        var keyFile = NullIfEmpty(entry.ClientKey);
        if ((certificateData ?? certificateFile) is null && (keyData ?? keyFile) is null)
        {
            return (null, null);
        }

        if ((certificateData ?? certificateFile) is null || (keyData ?? keyFile) is null)
        {
            var missing = (keyData ?? keyFile) is null ? "client-key" : "client-certificate";
            throw new KubernetesConfigurationException($"{user.Where}.{missing}: there is none; a certificate needs its key");
        }

        if (certificateData is null && keyData is null)
        {
            var files = CredentialFiles.Certificate(user.Resolve(certificateFile!), user.Resolve(keyFile!), _timeProvider);
            _ = files.Get();
            return (null, files);
        }

        var certificateWhere = $"{user.Where}.client-certificate";
        var keyWhere = $"{user.Where}.client-key";
        var certificate = certificateData is null
            ? ReadFile(user.Resolve(certificateFile!), certificateWhere)
            : Decode(certificateData, $"{certificateWhere}-data");
        var key = keyData is null ? ReadFile(user.Resolve(keyFile!), keyWhere) : Decode(keyData, $"{keyWhere}-data");
        return (Pem.ReadClientCertificate(certificate, key, certificateWhere, keyWhere), null);
    }

    private static List<KeyValuePair<string, string>> ReadImpersonation(KubeConfigUser user)
    {
        var headers = new List<KeyValuePair<string, string>>();
        void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                headers.Add(new(name, value));
            }
        }

        Add("Impersonate-User", user.Impersonate);
        Add("Impersonate-Uid", user.ImpersonateUid);
        foreach (var group in user.ImpersonateGroups ?? [])
        {
            Add("Impersonate-Group", group);
        }

        foreach (var (key, values) in user.ImpersonateExtra ?? [])
        {
            foreach (var value in values)
            {
                Add($"Impersonate-Extra-{Uri.EscapeDataString(key)}", value);
            }
        }

        return headers;
    }

    internal static string Decode(string base64, string where)
    {
        try
        {
            return Utf8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException e)
        {
            throw new KubernetesConfigurationException($"{where}: not base64: {e.Message}", e);
        }
    }

    internal static string ReadFile(string path, string where)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubernetesConfigurationException($"{where}: {path}: {e.Message}", e);
        }
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    /// <summary>An entry, the file it is in, and where in that file.</summary>
    private sealed record Found<T>(string Path, string Where, T Entry)
    {
        /// <summary>A path in a kubeconfig is relative to it.</summary>
        public string Resolve(string file) => System.IO.Path.GetFullPath(file, System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!);
    }
}
