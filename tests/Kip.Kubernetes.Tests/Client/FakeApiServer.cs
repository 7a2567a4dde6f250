using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kip.Kubernetes.Tests.Client;

/// <summary>A server that gives the answers it was told to, in their order, for faults that a real API server does not have on demand.</summary>
internal sealed class FakeApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Func<HttpContext, Task>> _answers = new();
    private readonly CancellationTokenSource _ended = new();

    private FakeApiServer(X509Certificate2? certificate)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null)
            {
                listen.UseHttps(certificate, https =>
                {
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.ClientCertificateValidation = (_, _, _) => true;
                });
            }
        }));
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = new("http://unset");

    /// <summary>Cuts the watches that are to be cut: once the client is known to have read what went before.</summary>
    public TaskCompletionSource CutNow { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What was asked so far.</summary>
    public ConcurrentQueue<FakeRequest> Requests { get; } = new();

    public static async Task<FakeApiServer> StartAsync(X509Certificate2? certificate = null)
    {
        var server = new FakeApiServer(certificate);
        await server._app.StartAsync();
        server.Address = new Uri(server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return server;
    }

    public KubernetesClient CreateClient(KubernetesClientOptions? options = null, TimeProvider? timeProvider = null) =>
        new(new KubernetesConfiguration { Server = Address }, options, timeProvider ?? TimeProvider.System);

    /// <summary>Gives the next answer.</summary>
    public FakeApiServer Then(Func<HttpContext, Task> answer)
    {
        _answers.Enqueue(answer);
        return this;
    }

    public FakeApiServer ThenJson(string json, int status = 200, params (string Name, string Value)[] headers) => Then(async context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        foreach (var (name, value) in headers)
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.WriteAsync(json, context.RequestAborted);
    });

    public FakeApiServer ThenStatus(int code, string reason, string message = "so it is", params (string Name, string Value)[] headers) => ThenJson(
        $$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"{{message}}","reason":"{{reason}}","code":{{code}}}""",
        code,
        headers);

    /// <summary>Sends parts of a watch, each at once, and ends it, cuts it, or leaves it open.</summary>
    public FakeApiServer ThenWatch(WatchEnd end, params string[] parts) => Then(async context =>
    {
        context.Response.ContentType = "application/json";
        await context.Response.Body.FlushAsync(context.RequestAborted);
        foreach (var part in parts)
        {
            await context.Response.WriteAsync(part, context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }

        if (end == WatchEnd.Cut)
        {
            await CutNow.Task;
            context.Abort();
        }
        else if (end == WatchEnd.Open)
        {
            await StayAsync(context);
        }
    });

    /// <summary>Takes the call and never answers.</summary>
    public FakeApiServer ThenNothing() => Then(StayAsync);

    /// <summary>Takes the call and drops the connection.</summary>
    public FakeApiServer ThenCut() => Then(context =>
    {
        context.Abort();
        return Task.CompletedTask;
    });

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _app.DisposeAsync();
        _ended.Dispose();
    }

    private async Task StayAsync(HttpContext context)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _ended.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, either.Token).ContinueWith(
            static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        Requests.Enqueue(new FakeRequest(
            context.Request.Method,
            $"{context.Request.Path}{Uri.UnescapeDataString(context.Request.QueryString.Value ?? "")}",
            await reader.ReadToEndAsync(context.RequestAborted),
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
            context.Request.Protocol,
            context.Connection.ClientCertificate?.Subject));
        if (_answers.TryDequeue(out var answer))
        {
            await answer(context);
        }
        else
        {
            context.Response.StatusCode = 418;
            await context.Response.WriteAsync("the test gave no answer to this", context.RequestAborted);
        }
    }
}

internal sealed record FakeRequest(
    string Method, string PathAndQuery, string Body, IReadOnlyDictionary<string, string> Headers, string Protocol, string? ClientCertificate);

internal enum WatchEnd
{
    Ended,
    Cut,
    Open,
}
