using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>A docker-registry on this machine, reachable from cells, with one image in it.</summary>
internal sealed class Registry : IDisposable
{
    public const string User = "alice";

    private readonly string _folder;
    private readonly Process _process;

    private Registry(string folder, Process process, int port) => (_folder, _process, Port) = (folder, process, port);

    public int Port { get; }

    /// <summary>Starts a registry that asks for a password, or for none when it is null.</summary>
    /// <param name="image">Repository and tag of its image, a busybox.</param>
    /// <param name="password">That of <see cref="User"/>.</param>
    public static async Task<Registry> StartAsync(string image, string? password)
    {
        var folder = Directory.CreateTempSubdirectory("kip-e2e-registry-").FullName;
        var registry = await LaunchAsync(folder, password);
        try
        {
            string[] login = password is null ? [] : ["--dest-creds", $"{User}:{password}"];
            await Tool.RunAsync(
                "skopeo",
                ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", .. login, $"oci-archive:{BuiltKip.ImageArchives[^1]}", $"docker://127.0.0.1:{registry.Port}/{image}"]);
            return registry;
        }
        catch
        {
            registry.Dispose();
            throw;
        }
    }

    /// <summary>The text of a Docker config.json with a login.</summary>
    public static string Login(string registry, string password) => JsonSerializer.Serialize(new
    {
        auths = new Dictionary<string, object> { [registry] = new { auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{password}")) } },
    });

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<Registry> LaunchAsync(string folder, string? password)
    {
        var auth = "";
        if (password is not null)
        {
            var passwords = Path.Combine(folder, "htpasswd");
            await File.WriteAllTextAsync(passwords, await Tool.RunAsync("htpasswd", "-Bbn", User, password));
            auth = $"auth: {{htpasswd: {{realm: tests, path: {passwords}}}}}\n";
        }

        while (true)
        {
            var port = FreePort();
            var configuration = Path.Combine(folder, "config.yml");
            // On every address, because the bridge that cells see this machine on is there only while they are.
            await File.WriteAllTextAsync(configuration, string.Create(CultureInfo.InvariantCulture, $"""
                version: 0.1
                log:
                  level: error
                storage:
                  filesystem:
                    rootdirectory: {folder}/data
                http:
                  addr: 0.0.0.0:{port}

                """) + auth);
            var process = Process.Start(new ProcessStartInfo("docker-registry", ["serve", configuration]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            await Wait.UntilAsync($"docker-registry answers on port {port}", async () => process.HasExited || await AnswersAsync(port));
            if (!process.HasExited)
            {
                return new Registry(folder, process, port);
            }

            process.Dispose(); // somebody else took the port
        }
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{port}/v2/"));
            return answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Unauthorized;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
