using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using Amazon.Runtime;

namespace Kip.Drivers.Aws;

/// <summary>Turns what AWS says into the terms that Kip acts on, and into one sentence for who owns the pod or the account.</summary>
internal static partial class AwsErrors
{
    /// <summary>The launch token was used before with other parameters; the instance that it made is to be looked for.</summary>
    public const string IdempotentParameterMismatch = "IdempotentParameterMismatch";

    /// <summary>The launch token's instance has ended.</summary>
    public const string IdempotentInstanceTerminated = "IdempotentInstanceTerminated";

    public const string SubnetFull = "InsufficientFreeAddressesInSubnet";
    public const string GroupDuplicate = "InvalidGroup.Duplicate";
    public const string GroupNotFound = "InvalidGroup.NotFound";
    public const string SubnetNotFound = "InvalidSubnetID.NotFound";
    public const string InstanceNotFound = "InvalidInstanceID.NotFound";
    public const string InstanceMalformed = "InvalidInstanceID.Malformed";
    public const string PermissionDuplicate = "InvalidPermission.Duplicate";
    public const string PermissionNotFound = "InvalidPermission.NotFound";

    public const string RouteNotFound = "InvalidRoute.NotFound";

    public const string VolumeNotFound = "InvalidVolume.NotFound";
    public const string VolumeInUse = "VolumeInUse";
    public const string AttachmentNotFound = "InvalidAttachment.NotFound";
    public const string IncorrectState = "IncorrectState";
    public const string InvalidParameterValue = "InvalidParameterValue";

    /// <summary>The call was only tried, and would have been allowed.</summary>
    public const string DryRunOperation = "DryRunOperation";

    private static readonly string[] CredentialSources =
        ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];

    private const string RaiseQuota = "raise the quota in the console under Service Quotas > Amazon EC2, or use another type or region";

    // AWS's documentation of EC2's error codes, "Error codes for the Amazon EC2 API"; null where AWS's own words say it best.
    private static readonly Dictionary<string, (DriverErrorKind Kind, string? Sentence)> Codes = new(StringComparer.Ordinal)
    {
        ["InsufficientInstanceCapacity"] = (DriverErrorKind.OutOfCapacity, "EC2 has no such machine free in this zone now"),
        ["InsufficientCapacity"] = (DriverErrorKind.OutOfCapacity, "EC2 has no such machine free in this zone now"),
        ["InsufficientHostCapacity"] = (DriverErrorKind.OutOfCapacity, "no dedicated host of the account has room for it in this zone: allocate one with auto-placement for the type (aws ec2 allocate-hosts)"),
        ["InsufficientReservedInstanceCapacity"] = (DriverErrorKind.OutOfCapacity, null),
        ["ReservationCapacityExceeded"] = (DriverErrorKind.OutOfCapacity, "the capacity reservation is used up"),
        ["SpotMaxPriceTooLow"] = (DriverErrorKind.OutOfCapacity, "the spot price is above the highest price that is to be paid"),
        [SubnetFull] = (DriverErrorKind.OutOfCapacity, "the subnet has no free address left: a cell takes two; use a larger subnet, or subnets in more zones"),
        ["InsufficientAddressCapacity"] = (DriverErrorKind.OutOfCapacity, "EC2 has no public address free"),
        ["InsufficientVolumeCapacity"] = (DriverErrorKind.OutOfCapacity, "EBS has no room for the disk in this zone now"),

        ["VcpuLimitExceeded"] = (DriverErrorKind.Quota, $"the account's quota of vCPUs for this family of types is used up: {RaiseQuota}"),
        ["RouteLimitExceeded"] = (DriverErrorKind.Quota, "the route table is full: raise the quota of routes per table under Service Quotas > Amazon VPC, or route fewer ranges"),
        ["InstanceLimitExceeded"] = (DriverErrorKind.Quota, $"the account's quota of instances of this type is used up: {RaiseQuota}"),
        ["MaxSpotInstanceCountExceeded"] = (DriverErrorKind.Quota, $"the account's quota of spot instances is used up: {RaiseQuota}"),
        ["VolumeLimitExceeded"] = (DriverErrorKind.Quota, $"the account's quota of EBS volumes is used up: {RaiseQuota}"),
        ["MaxIOPSLimitExceeded"] = (DriverErrorKind.Quota, $"the account's quota of EBS throughput is used up: {RaiseQuota}"),
        ["AddressLimitExceeded"] = (DriverErrorKind.Quota, $"the account's quota of addresses is used up: {RaiseQuota}"),
        ["NetworkInterfaceLimitExceeded"] = (DriverErrorKind.Quota, $"the account's quota of network interfaces is used up: {RaiseQuota}"),
        ["SecurityGroupLimitExceeded"] = (DriverErrorKind.Quota, "the account's quota of security groups is used up: delete unused groups or raise the quota under Service Quotas > Amazon VPC"),
        ["RulesPerSecurityGroupLimitExceeded"] = (DriverErrorKind.Quota, "there are more ranges than a security group may have rules: configure fewer extra CIDRs or raise the quota under Service Quotas > Amazon VPC"),
        ["PendingVerification"] = (DriverErrorKind.Quota, "AWS is still verifying this account for the region, which takes minutes to hours; until then other regions work"),

        ["RequestLimitExceeded"] = (DriverErrorKind.Throttled, "EC2 wants fewer calls from this account and region"),
        ["Throttling"] = (DriverErrorKind.Throttled, "AWS wants fewer calls from this account and region"),
        ["ThrottlingException"] = (DriverErrorKind.Throttled, "AWS wants fewer calls from this account and region"),
        ["TooManyRequestsException"] = (DriverErrorKind.Throttled, "AWS wants fewer calls from this account and region"),
        ["EC2ThrottledException"] = (DriverErrorKind.Throttled, "EC2 wants fewer calls from this account and region"),

        ["Unsupported"] = (DriverErrorKind.Unsupported, null),
        ["UnsupportedOperation"] = (DriverErrorKind.Unsupported, null),
        ["UnsupportedHostConfiguration"] = (DriverErrorKind.Unsupported, null),
        ["InvalidInstanceType"] = (DriverErrorKind.Unsupported, null),
        ["InvalidInstanceType.NotFound"] = (DriverErrorKind.Unsupported, null),
        ["InvalidAvailabilityZone"] = (DriverErrorKind.Unsupported, null),

        ["ParameterNotFound"] = (DriverErrorKind.NotFound, "Systems Manager has no such parameter in this region"),
        ["ParameterVersionNotFound"] = (DriverErrorKind.NotFound, "Systems Manager has no such version of the parameter"),
        ["InvalidAMIID.Malformed"] = (DriverErrorKind.NotFound, "this is not the id of an image: they look like ami-0123456789abcdef0"),
        ["InvalidAMIID.Unavailable"] = (DriverErrorKind.NotFound, "the image is no longer, or not yet, available"),
        ["InvalidAMIID.NotFound"] = (DriverErrorKind.NotFound, "there is no such image in this region, or it is not shared with this account"),
        ["InvalidVpcID.NotFound"] = (DriverErrorKind.NotFound, "there is no such VPC in this account and region"),
        [SubnetNotFound] = (DriverErrorKind.NotFound, "there is no such subnet in this account and region"),
        [GroupNotFound] = (DriverErrorKind.NotFound, "there is no such security group in the VPC"),

        [VolumeNotFound] = (DriverErrorKind.NotFound, "there is no such volume in this account and region"),
        ["InvalidVolume.ZoneMismatch"] = (DriverErrorKind.InvalidConfiguration, "the volume and the cell are in different zones"),
        ["AttachmentLimitExceeded"] = (DriverErrorKind.Quota, "the instance takes no more volumes: use a type that takes more, or fewer volumes"),
        // Somebody was faster: what is so now says whether that is right.
        ["RouteAlreadyExists"] = (DriverErrorKind.Transient, null),
        [VolumeInUse] = (DriverErrorKind.Transient, null),
        // Of an instance that does not run yet, or a volume that is being made.
        [IncorrectState] = (DriverErrorKind.Transient, null),
        ["IncorrectInstanceState"] = (DriverErrorKind.Transient, null),

        ["SecurityGroupsPerInstanceLimitExceeded"] = (DriverErrorKind.InvalidConfiguration, "a network interface takes 5 security groups unless the account's quota says otherwise: configure fewer"),
        ["SecurityGroupsPerInterfaceLimitExceeded"] = (DriverErrorKind.InvalidConfiguration, "a network interface takes 5 security groups unless the account's quota says otherwise: configure fewer"),
        ["OperationNotPermitted"] = (DriverErrorKind.InvalidConfiguration, null),

        ["ExpiredToken"] = (DriverErrorKind.Unauthorized, "the credentials have expired: renew them, for example with aws sso login"),
        ["ExpiredTokenException"] = (DriverErrorKind.Unauthorized, "the credentials have expired: renew them, for example with aws sso login"),
        ["RequestExpired"] = (DriverErrorKind.Unauthorized, "the request was too old when it arrived: set this machine's clock"),
        ["RequestTimeTooSkewed"] = (DriverErrorKind.Unauthorized, "this machine's clock is off by more than AWS takes: set it"),
        ["RequestInTheFuture"] = (DriverErrorKind.Unauthorized, "this machine's clock is ahead: set it"),
        ["AuthFailure"] = (DriverErrorKind.Unauthorized, "AWS does not take these credentials in this region: check the access key, that the region is enabled for the account, and that it is in the same partition (aws, aws-cn, aws-us-gov)"),
        ["InvalidClientTokenId"] = (DriverErrorKind.Unauthorized, "AWS does not know this access key: check it, and that the region is in the same partition (aws, aws-cn, aws-us-gov)"),
        ["UnrecognizedClientException"] = (DriverErrorKind.Unauthorized, "AWS does not know this access key: check it, and that the region is in the same partition (aws, aws-cn, aws-us-gov)"),
        ["SignatureDoesNotMatch"] = (DriverErrorKind.Unauthorized, "the secret access key does not belong to the access key, or this machine's clock is wrong"),
        ["InvalidSignatureException"] = (DriverErrorKind.Unauthorized, "the secret access key does not belong to the access key, or this machine's clock is wrong"),
        ["MissingAuthenticationToken"] = (DriverErrorKind.Unauthorized, "the request was not signed: give the driver credentials"),
        ["OptInRequired"] = (DriverErrorKind.Unauthorized, "the account has not subscribed to what is asked for: accept the image's terms in AWS Marketplace, or enable the region"),
        ["Blocked"] = (DriverErrorKind.Unauthorized, "AWS has blocked this account: contact AWS support"),

        ["InternalError"] = (DriverErrorKind.Transient, null),
        ["InternalFailure"] = (DriverErrorKind.Transient, null),
        ["Unavailable"] = (DriverErrorKind.Transient, null),
        ["ServiceUnavailable"] = (DriverErrorKind.Transient, null),
        ["RequestTimeout"] = (DriverErrorKind.Transient, null),
    };

    /// <summary>What AWS called the failure; null when it did not come from AWS.</summary>
    public static string? CodeOf(DriverException error) => (error.InnerException as AmazonServiceException)?.ErrorCode;

    /// <summary>Translates.</summary>
    /// <param name="exception">What AWSSDK.Core threw.</param>
    /// <param name="permission">The permission that the call needs, for example <c>ec2:RunInstances</c>.</param>
    /// <param name="purpose">What the call was for, to go on after "cannot".</param>
    public static DriverException Translate(Exception exception, string permission, string purpose)
    {
        var (kind, reason) = exception switch
        {
            AmazonUnmarshallingException => (DriverErrorKind.Transient, $"the answer cannot be read: {Innermost(exception)}"),
            AmazonServiceException service => Explain(service, permission),
            _ when exception.Message.Contains("SSO", StringComparison.Ordinal) => (DriverErrorKind.Unauthorized, ExplainSso(exception)),
            AmazonClientException when IsWithoutCredentials(exception) =>
                (DriverErrorKind.Unauthorized, ExplainMissingCredentials(exception.Message)),
            // Of all that is done here only credentials are read from files: a web identity's token.
            _ when exception.GetBaseException() is FileNotFoundException or DirectoryNotFoundException =>
                (DriverErrorKind.Unauthorized, ExplainMissingCredentials(exception.GetBaseException().Message)),
            XmlException or JsonException => (DriverErrorKind.Transient, $"the answer cannot be read: {exception.Message}"),
            OperationCanceledException or TimeoutException => (DriverErrorKind.Transient, "there was no answer in time"),
            HttpRequestException http => (DriverErrorKind.Transient, Explain(http)),
            { InnerException: HttpRequestException http } => (DriverErrorKind.Transient, Explain(http)),
            _ => (DriverErrorKind.Transient, Innermost(exception)),
        };
        return new DriverException(kind, $"cannot {purpose}: {reason}", exception);
    }

    private static (DriverErrorKind Kind, string Reason) Explain(AmazonServiceException error, string permission)
    {
        var code = error.ErrorCode ?? "";
        if (code is "UnauthorizedOperation" or "AccessDenied" or "AccessDeniedException")
        {
            return (DriverErrorKind.Unauthorized, ExplainDenial(error.Message, permission, code));
        }

        if (code == InvalidParameterValue && error.Message.Contains("iamInstanceProfile", StringComparison.Ordinal))
        {
            return (DriverErrorKind.InvalidConfiguration, $"the account has no such instance profile: check its name (aws iam list-instance-profiles): {error.Message} ({code})");
        }

        if (Codes.TryGetValue(code, out var known))
        {
            return (known.Kind, $"{known.Sentence ?? error.Message} ({code})");
        }

        var kind = code.EndsWith(".NotFound", StringComparison.Ordinal) ? DriverErrorKind.NotFound
            : error.StatusCode == HttpStatusCode.TooManyRequests ? DriverErrorKind.Throttled
            : error.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden ? DriverErrorKind.Unauthorized
            : (int)error.StatusCode is >= 400 and < 500 ? DriverErrorKind.InvalidConfiguration
            : DriverErrorKind.Transient;
        return (kind, code.Length == 0 ? error.Message : $"{error.Message} ({code})");
    }

    // A source that is configured and fails is passed over by AWSSDK.Core like one that is not there; only its message tells.
    private static string ExplainMissingCredentials(string message) =>
        Array.Find(CredentialSources, static name => Environment.GetEnvironmentVariable(name) is { Length: > 0 }) is { } source
            ? $"no credentials can be had by {source}: {WhiteSpace().Replace(message, " ").Trim()}"
            : "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run Kip with a role";

    // Expired, never made, or taken back: AWSSDK.Core has sentences for each that do not say what to do.
    private static string ExplainSso(Exception exception)
    {
        var profile = Environment.GetEnvironmentVariable("AWS_PROFILE") is { Length: > 0 } name ? $" --profile {name}" : "";
        var answer = exception.InnerException is null ? "" : $" (AWS says: {Innermost(exception)})";
        return $"the profile is one of aws sso login, and there is no login, or it is over{answer}: log in with aws sso login{profile}";
    }

    private static string Explain(HttpRequestException error) => error.HttpRequestError == HttpRequestError.NameResolutionError
        ? $"{error.Message}: check that there is such a region, and that this machine resolves names"
        : error.Message;

    private static string ExplainDenial(string message, string permission, string code)
    {
        var named = DeniedAction().Match(message);
        var action = named.Success ? named.Groups["action"].Value : permission;
        var resource = named.Groups["resource"] is { Success: true } on ? $" on {on.Value}" : "";
        var policy = message.Contains("explicit deny", StringComparison.OrdinalIgnoreCase)
            ? "a policy denies it explicitly: remove that statement"
            : "add it to the controller's policy";
        var details = !named.Success && message.Contains("Encoded authorization failure message", StringComparison.OrdinalIgnoreCase)
            ? "; what exactly is denied says aws sts decode-authorization-message"
            : "";
        return $"the credentials do not allow {action}{resource}: {policy}{details} ({code})";
    }

    private static bool IsWithoutCredentials(Exception exception) =>
        exception is not AmazonServiceException && exception.Message.Contains("credentials", StringComparison.OrdinalIgnoreCase);

    private static string Innermost(Exception exception)
    {
        while (exception.InnerException is { } inner)
        {
            exception = inner;
        }

        return exception.Message;
    }

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant)]
    private static partial Regex WhiteSpace();

    [GeneratedRegex(@"not authorized to perform:? (?<action>[a-z0-9-]+:[A-Za-z]+)(?: on resource:? (?<resource>\S+))?", RegexOptions.CultureInvariant)]
    private static partial Regex DeniedAction();
}
