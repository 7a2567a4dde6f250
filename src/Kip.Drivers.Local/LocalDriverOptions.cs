namespace Kip.Drivers.Local;

/// <summary>Where and how the local driver makes cells. Several processes may share one state directory and bridge.</summary>
public sealed record LocalDriverOptions
{
    /// <summary>Directory for everything the driver writes. Not below <c>/run</c>, of which each cell has its own.</summary>
    public string StateDirectory { get; init; } = "/var/lib/kip/local";

    /// <summary>Value of the <see cref="InstanceTags.ControllerId"/> tag; instances of another controller are neither listed nor touched.</summary>
    public required string ControllerId { get; init; }

    /// <summary>Name of the bridge that cells hang on, at most 15 characters. The nftables table has the same name.</summary>
    public string Bridge { get; init; } = "kip0";

    /// <summary>
    /// IPv4 range of the bridge, /8 to /29. The first address is the gateway; each cell takes two more, one for itself and one for its pod.
    /// </summary>
    public string Cidr { get; init; } = "10.213.0.0/16";

    /// <summary>The <c>kip-agent</c> program that cells run. Not below <c>/run</c>.</summary>
    public required string AgentPath { get; init; }

    /// <summary>OCI or Docker archives whose images every cell has from the start. Not below <c>/run</c>.</summary>
    public IReadOnlyList<string> ImageArchives { get; init; } = [];
}
