using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kip.Agent.Tests.Interruptions;

/// <summary>Not EC2's metadata service: it answers to the same paths with the same headers, what it is told to.</summary>
internal sealed class FakeMetadataService : IAsyncDisposable
{
    private readonly WebApplication _server;
    private int _sessions;

    private FakeMetadataService(WebApplication server) => _server = server;

    /// <summary>Answers by path, without the leading slash; what is absent is not found.</summary>
    public ConcurrentDictionary<string, string> Answers { get; } = new();

    /// <summary>Whether the sessions given so far are over.</summary>
    public void EndSessions() => Interlocked.Increment(ref _sessions);

    public Uri Address => new(_server.Urls.Single());

    public static async Task<FakeMetadataService> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var service = new FakeMetadataService(builder.Build());
        service._server.Run(service.AnswerAsync);
        await service._server.StartAsync();
        return service;
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!.TrimStart('/');
        var session = $"session-{Volatile.Read(ref _sessions)}";
        if (path == "latest/api/token")
        {
            context.Response.StatusCode = HttpMethods.IsPut(context.Request.Method) && context.Request.Headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600" ? 200 : 400;
            return context.Response.WriteAsync(session);
        }

        if (context.Request.Headers["X-aws-ec2-metadata-token"] != session)
        {
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        }

        if (!Answers.TryGetValue(path, out var answer))
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        }

        return context.Response.WriteAsync(answer);
    }
}
