using System.Security.Cryptography.X509Certificates;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Server;

/// <summary>Lets nobody in who is not known and allowed, whatever the path; comes before everything else.</summary>
internal sealed partial class AccessControl(IKubeletAuthenticator authenticator, IKubeletAuthorizer authorizer, ILogger log)
{
    private const string Bearer = "Bearer ";

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (await AuthenticateAsync(context).ConfigureAwait(false) is not { } user)
        {
            await Answers.WriteAsync(context, StatusCodes.Status401Unauthorized, "Unauthorized").ConfigureAwait(false);
            return;
        }

        var access = KubeletAccess.Of(context.Request);
        try
        {
            foreach (var subresource in access.Subresources)
            {
                if (await authorizer.IsAllowedAsync(user, access.Verb, subresource, context.RequestAborted).ConfigureAwait(false))
                {
                    await next(context).ConfigureAwait(false);
                    return;
                }
            }
        }
        catch (KubernetesApiException error)
        {
            LogNotAuthorized(user.Username, error.Message);
            await Answers.WriteAsync(
                context, StatusCodes.Status500InternalServerError, $"Authorization error ({Describe(user, access)})").ConfigureAwait(false);
            return;
        }

        await Answers.WriteAsync(context, StatusCodes.Status403Forbidden, $"Forbidden ({Describe(user, access)})").ConfigureAwait(false);
    }

    private static string Describe(UserInfo user, KubeletAccess access) =>
        $"user={user.Username}, verb={access.Verb}, resource=nodes, subresource(s)=[{string.Join(' ', access.Subresources)}]";

    private Task<UserInfo?> AuthenticateAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var token = header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..].Trim() : "";
        X509Certificate2? certificate = context.Features.Get<ITlsConnectionFeature>()?.ClientCertificate;
        return authenticator.AuthenticateAsync(certificate, token.Length == 0 ? null : token, context.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "whether {User} may call the kubelet API could not be found out: {Error}")]
    private partial void LogNotAuthorized(string? user, string error);
}
