using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Kip.Tests.Support;

/// <summary>moto's simulator of AWS as a server of its own, on a free port of the loopback address. A test that uses it needs no account.</summary>
public partial class MotoServer : IAsyncLifetime
{
    public const string Collection = "moto";
    private const string Program = "moto_server";

    private readonly (string Name, string Value)[] _switches;
    private Process? _process;

    public MotoServer()
        : this([])
    {
    }

    /// <summary>With more of moto's switches, which are variables of its environment.</summary>
    protected MotoServer(params (string Name, string Value)[] switches) => _switches = switches;

    public Uri Address { get; private set; } = new("http://127.0.0.1:1");

    /// <summary>Why there is none here, or null.</summary>
    public static string? Missing { get; } =
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(directory => File.Exists(Path.Combine(directory, Program)))
            ? null
            : $"not installed: {Program} (pip install 'moto[server]')";

    public async Task InitializeAsync()
    {
        if (Missing is not null)
        {
            return;
        }

        var start = new ProcessStartInfo(Program, ["-H", "127.0.0.1", "-p", "0"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["PYTHONUNBUFFERED"] = "1";
        start.Environment["MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION"] = "1";
        start.Environment["MOTO_ENABLE_AMI_VALIDATION"] = "1";
        foreach (var (name, value) in _switches)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        _process = process;
        var address = new TaskCompletionSource<Uri>(TaskCreationOptions.RunContinuationsAsynchronously);
        var log = new System.Collections.Concurrent.ConcurrentQueue<string>();

        // It writes a line for each request: read on, or it stops when the pipe is full.
        process.ErrorDataReceived += Read;
        process.OutputDataReceived += Read;
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => address.TrySetException(new InvalidOperationException($"{Program} ended: {string.Join('\n', log)}"));
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        Address = await Within.Limits(address.Task, $"{Program} to say where it is");

        void Read(object sender, DataReceivedEventArgs line)
        {
            if (address.Task.IsCompleted || line.Data is null)
            {
                return;
            }

            log.Enqueue(line.Data);
            if (Running().Match(line.Data) is { Success: true } match)
            {
                address.TrySetResult(new Uri(match.Value));
            }
        }
    }

    public Task DisposeAsync()
    {
        _process?.Kill();
        _process?.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>Asks moto without the driver, as nobody in particular.</summary>
    public async Task<XElement> QueryAsync(string service, string version, string action, CancellationToken cancellationToken, params (string Name, string Value)[] parameters)
    {
        using var client = new HttpClient();
        using var form = new FormUrlEncodedContent(
            parameters.Prepend(("Version", version)).Prepend(("Action", action)).Select(parameter => new KeyValuePair<string, string>(parameter.Item1, parameter.Item2)));
        using var request = new HttpRequestMessage(HttpMethod.Post, Address) { Content = form };
        request.Headers.TryAddWithoutValidation("Authorization", $"AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0");
        using var response = await client.SendAsync(request, cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.StatusCode == HttpStatusCode.OK, body);
        return XElement.Parse(body);
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:[0-9]+")]
    private static partial Regex Running();
}

[CollectionDefinition(MotoServer.Collection)]
public sealed class MotoCollection : ICollectionFixture<MotoServer>;

/// <summary>A test that needs moto; says so when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MotoFactAttribute : FactAttribute
{
    public MotoFactAttribute() => Skip = MotoServer.Missing;
}

/// <summary>As <see cref="MotoFactAttribute"/>, for many cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MotoTheoryAttribute : TheoryAttribute
{
    public MotoTheoryAttribute() => Skip = MotoServer.Missing;
}
