using Amazon.Runtime;
using Amazon.Runtime.Endpoints;
using Amazon.Runtime.Internal;
using Amazon.Util.Internal;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>What AWSSDK.Core must know of a service: its name, the version of its API, and where it is.</summary>
internal sealed class AwsServiceConfig : ClientConfig
{
    // Tries, not counting the first: the core tries again as well, and a pod's owner is not to wait in silence.
    private const int Retries = 3;
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ConnectionTimeout = TimeSpan.FromSeconds(5);

    private readonly string _service;
    private readonly string _host;

    /// <summary>Makes the configuration.</summary>
    /// <param name="service">Name in signatures, for example <c>ec2</c>.</param>
    /// <param name="version">Version of the API, a date.</param>
    /// <param name="region">Name of the region.</param>
    /// <param name="endpoint">Where the service is; null for AWS's own endpoint of the region.</param>
    /// <param name="host">Name in endpoints; null for that of the service.</param>
    public AwsServiceConfig(string service, string version, string region, Uri? endpoint, string? host = null)
        : base(new Defaults())
    {
        _service = service;
        _host = host ?? service;
        ServiceVersion = version;
        ServiceId = service.ToUpperInvariant();
        AuthenticationServiceName = service;
        Configure(this, region, endpoint);
        EndpointProvider = new Provider(this);
    }

    public override string RegionEndpointServiceName => _service;

    public override string ServiceVersion { get; }

    public override string UserAgent { get; } = InternalSDKUtils.BuildUserAgentString("Kip", KipVersion.Text);

    public override Endpoint DetermineServiceOperationEndpoint(ServiceOperationEndpointParameters parameters) => Resolve();

    /// <summary>What holds for the clients of all services.</summary>
    public static void Configure(ClientConfig config, string region, Uri? endpoint)
    {
        if (endpoint is null)
        {
            config.RegionEndpoint = Amazon.RegionEndpoint.GetBySystemName(region);
        }
        else
        {
            config.ServiceURL = endpoint.ToString();
            config.AuthenticationRegion = region;
        }

        config.MaxErrorRetry = Retries;
        config.RetryMode = RequestRetryMode.Standard;
        config.Timeout = AttemptTimeout;
        config.ConnectTimeout = ConnectionTimeout;
    }

    private Endpoint Resolve()
    {
        if (!string.IsNullOrEmpty(ServiceURL))
        {
            return new Endpoint(ServiceURL);
        }

        // Names of their own are for the ordinary endpoints only: api.ecr, but ecr-fips.
        var host = UseFIPSEndpoint ? $"{_service}-fips" : UseDualstackEndpoint ? _service : _host;
        var suffix = UseDualstackEndpoint ? "api.aws" : RegionEndpoint.PartitionDnsSuffix;
        return new Endpoint($"https://{host}.{RegionEndpoint.SystemName}.{suffix}");
    }

    private sealed class Provider(AwsServiceConfig config) : IEndpointProvider
    {
        public Endpoint ResolveEndpoint(EndpointParameters parameters) => config.Resolve();
    }

    private sealed class Defaults : IDefaultConfigurationProvider
    {
        public IDefaultConfiguration GetDefaultConfiguration(Amazon.RegionEndpoint clientRegion, DefaultConfigurationMode? requestedConfigurationMode) =>
            new DefaultConfiguration
            {
                Name = DefaultConfigurationMode.Standard,
                RetryMode = RequestRetryMode.Standard,
                ConnectTimeout = ConnectionTimeout,
                TimeToFirstByteTimeout = null,
            };
    }
}
