using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>Not a service of AWS: answers requests with a text, or with 404 where it is null.</summary>
internal sealed class FakeEndpoint : IAsyncDisposable
{
    private readonly WebApplication _server;

    private FakeEndpoint(WebApplication server) => _server = server;

    /// <summary>Where it is, without a slash at the end.</summary>
    public string Address => _server.Urls.Single();

    public static async Task<FakeEndpoint> StartAsync(Func<HttpRequest, string?> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        server.Run(context =>
        {
            var text = answer(context.Request);
            context.Response.StatusCode = text is null ? StatusCodes.Status404NotFound : StatusCodes.Status200OK;
            return context.Response.WriteAsync(text ?? "");
        });
        await server.StartAsync();
        return new FakeEndpoint(server);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
