using Kip.Agents;
using Microsoft.AspNetCore.Http;

namespace Kip.VirtualKubelet.Server;

/// <summary>Short answers in plain text, as a kubelet gives them.</summary>
internal static class Answers
{
    public static async Task WriteAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        await context.Response.WriteAsync(text.EndsWith('\n') ? text : text + "\n", context.RequestAborted).ConfigureAwait(false);
    }

    public static Task BadRequestAsync(HttpContext context, string text) => WriteAsync(context, StatusCodes.Status400BadRequest, text);

    public static Task NotFoundAsync(HttpContext context, string text) => WriteAsync(context, StatusCodes.Status404NotFound, text);

    public static Task FailedAsync(HttpContext context, AgentException error) => WriteAsync(
        context,
        error.Kind switch
        {
            AgentErrorKind.Refused => StatusCodes.Status400BadRequest,
            AgentErrorKind.NotFound => StatusCodes.Status404NotFound,
            AgentErrorKind.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status500InternalServerError,
        },
        error.Message);
}
