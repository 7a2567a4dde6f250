using System.Collections.Concurrent;
using System.Text;
using Amazon.ECR;
using Amazon.ECR.Model;
using Kip.Drivers.Aws.Sdk;
using Microsoft.Extensions.Logging;
using Public = Amazon.ECRPublic.Model;

namespace Kip.Drivers.Aws;

/// <summary>Logins for Elastic Container Registry. One opens all registries of a region that the credentials may pull from, whosever they are.</summary>
internal sealed partial class EcrLogins(AwsCalls calls, AwsDriverOptions options, TimeProvider timeProvider, ILogger logger) : IDisposable
{
    // The public registry is one, and gives its logins here only.
    private const string PublicRegion = "us-east-1";

    // "Authorization tokens are valid for 12 hours", for answers that do not say it; moto's say that they ended in 2015.
    private static readonly TimeSpan UsualLife = TimeSpan.FromHours(12);

    private readonly ConcurrentDictionary<EcrRegistry, Lazy<JsonServiceClient>> _clients = new();
    private readonly Lazy<JsonServiceClient> _public = new(() => calls.Make(EcrActions.Public, PublicRegion));

    /// <summary>A login for a host of images, or null when it is not AWS's or needs none.</summary>
    /// <exception cref="DriverException">It cannot be had.</exception>
    public async Task<RegistryLogin?> GetAsync(string host, CancellationToken cancellationToken) => EcrRegistry.Parse(host) switch
    {
        null => null,
        { Region: { } region } registry => await GetPrivateAsync(registry, region, cancellationToken).ConfigureAwait(false),
        _ => await GetPublicAsync(cancellationToken).ConfigureAwait(false),
    };

    /// <summary>Whether logins can be had for the region that cells are in.</summary>
    /// <exception cref="DriverException">They cannot.</exception>
    public Task CheckAsync(CancellationToken cancellationToken) => GetPrivateAsync(new EcrRegistry(options.Region, false), options.Region, cancellationToken);

    public void Dispose()
    {
        foreach (var client in _clients.Values.Where(static client => client.IsValueCreated))
        {
            client.Value.Dispose();
        }

        if (_public.IsValueCreated)
        {
            _public.Value.Dispose();
        }
    }

    private async Task<RegistryLogin> GetPrivateAsync(EcrRegistry registry, string region, CancellationToken cancellationToken)
    {
        var client = _clients.GetOrAdd(registry, _ => new Lazy<JsonServiceClient>(() => calls.Make(EcrActions.Private, region, registry.IsFips)));
        var purpose = $"log in to the registries of {region}";
        var response = await AwsCalls.CallAsync(client.Value, EcrActions.GetAuthorizationToken, new GetAuthorizationTokenRequest(), purpose, cancellationToken).ConfigureAwait(false);
        return Read(response.AuthorizationData is [var first, ..] ? first : null, purpose);
    }

    /// <summary>Who is known may pull more in a second, and all may pull: what goes wrong is no pod's affair.</summary>
    private async Task<RegistryLogin?> GetPublicAsync(CancellationToken cancellationToken)
    {
        const string Purpose = "log in to the public registry";
        if (Amazon.RegionEndpoint.GetBySystemName(options.Region).PartitionName != "aws")
        {
            return null;
        }

        try
        {
            var response = await AwsCalls.CallAsync(
                _public.Value, EcrActions.GetPublicAuthorizationToken, new Public.GetAuthorizationTokenRequest(), Purpose, cancellationToken).ConfigureAwait(false);
            return Read(response.AuthorizationData, Purpose);
        }
        catch (DriverException error)
        {
            LogAnonymous(error.Message);
            return null;
        }
    }

    private RegistryLogin Read(AuthorizationData? data, string purpose)
    {
        var token = data?.AuthorizationToken ?? "";
        var bytes = new byte[token.Length];
        var text = Convert.TryFromBase64String(token, bytes, out var length) ? Encoding.UTF8.GetString(bytes, 0, length) : "";
        if (text.Split(':', 2) is not [{ Length: > 0 } user, var password])
        {
            throw new DriverException(DriverErrorKind.Transient, $"cannot {purpose}: the answer has no user and password in it");
        }

        var now = timeProvider.GetUtcNow();
        var expires = data?.ExpiresAt is { } seconds ? DateTimeOffset.UnixEpoch.AddSeconds(seconds) : default;
        return new RegistryLogin(user, password, expires > now ? expires : now + UsualLife);
    }

    [LoggerMessage(1, LogLevel.Warning, "Images of public.ecr.aws are pulled anonymously, for which limits are lower: {Problem}")]
    private partial void LogAnonymous(string problem);
}
