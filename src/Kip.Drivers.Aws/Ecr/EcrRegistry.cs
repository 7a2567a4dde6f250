using System.Text.RegularExpressions;

namespace Kip.Drivers.Aws;

/// <summary>One of AWS's image registries, as the host of image names says.</summary>
/// <param name="Region">The region of a private registry; null for the public one.</param>
/// <param name="IsFips">Whether only cryptography by the American standard is to be used.</param>
internal sealed partial record EcrRegistry(string? Region, bool IsFips)
{
    /// <summary>The registry, or null when it is none of AWS's.</summary>
    public static EcrRegistry? Parse(string host) =>
        host is "public.ecr.aws" or "ecr-public.aws.com" ? new EcrRegistry(null, false)
        : PrivateHost().Match(host) is { Success: true } match ? new EcrRegistry(match.Groups["region"].Value, match.Groups["fips"].Success)
        : null;

    // The ends are those of the partitions: the world, China, and those of governments. With "dkr-ecr" addresses are of version 6 too.
    [GeneratedRegex(
        @"^[0-9]{12}\.dkr[.-]ecr(?<fips>-fips)?\.(?<region>[a-z0-9-]+)\.(amazonaws\.(com(\.cn)?|eu)|on\.(aws|amazonwebservices\.(com\.cn|eu))|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex PrivateHost();
}
