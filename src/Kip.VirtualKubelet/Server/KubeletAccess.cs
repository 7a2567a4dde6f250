using Microsoft.AspNetCore.Http;

namespace Kip.VirtualKubelet.Server;

/// <summary>What a request must be allowed to do: one of the subresources will do (KEP-2862), with the verb.</summary>
/// <param name="Verb">Such as <c>get</c>.</param>
/// <param name="Subresources">The narrow one first, the old one last.</param>
internal readonly record struct KubeletAccess(string Verb, IReadOnlyList<string> Subresources)
{
    private static readonly string[] Proxy = ["proxy"];

    /// <summary>Whatever is not known to need less needs <c>nodes/proxy</c>.</summary>
    public static KubeletAccess Of(HttpRequest request)
    {
        var path = request.Path;
        if (IsCommand(path))
        {
            // Also by GET, as WebSockets come: whoever may only read must not run commands.
            return new("create", Proxy);
        }

        var verb = request.Method.ToUpperInvariant() switch
        {
            "GET" or "HEAD" => "get",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => "delete",
            _ => "",
        };
        string[] subresources =
            path.StartsWithSegments("/stats") ? ["stats"]
            : path.StartsWithSegments("/metrics") ? ["metrics"]
            : path.StartsWithSegments("/logs") ? ["log"]
            : path.StartsWithSegments("/pods") || path.StartsWithSegments("/runningpods") ? ["pods", "proxy"]
            : path.StartsWithSegments("/healthz") ? ["healthz", "proxy"]
            : path.StartsWithSegments("/configz") ? ["configz", "proxy"]
            : Proxy;
        return new(verb, subresources);
    }

    private static bool IsCommand(PathString path) =>
        path.StartsWithSegments("/exec")
        || path.StartsWithSegments("/attach")
        || path.StartsWithSegments("/run")
        || path.StartsWithSegments("/portForward");
}
