using System.Text.Encodings.Web;
using System.Text.Json;

namespace Kip.Drivers.Aws;

/// <summary>What the driver must be allowed to do, and nothing else.</summary>
public static class AwsPermissions
{
    private static readonly string[] ReadOnly =
    [
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeSubnets",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcs",
        "ecr-public:GetAuthorizationToken",
        "ecr:GetAuthorizationToken",
        "pricing:GetProducts",
        "servicequotas:GetServiceQuota",
        "ssm:GetParameter",
        // What a login of the public registry is besides.
        "sts:GetServiceBearerToken",
    ];

    private static readonly string[] Making = ["ec2:CreateSecurityGroup", "ec2:RunInstances"];
    // Of a volume and an instance, of which only the instance is Kip's.
    private static readonly string[] Attaching = ["ec2:AttachVolume", "ec2:DetachVolume"];
    private static readonly string[] OwnOnly = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:TerminateInstances"];

    private static readonly string[] Routing = ["ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"];
    private static readonly string[] Forwarding = ["ec2:ModifyInstanceAttribute"];

    private static readonly (string, string, string[]) Kips = ("StringLike", "aws:ResourceTag/" + InstanceTags.ControllerId, ["*"]);

    /// <summary>All permissions, for example <c>ec2:RunInstances</c>, in their order.</summary>
    public static IReadOnlyList<string> Actions { get; } = [.. ReadOnly.Concat(Making).Concat(Attaching).Concat(OwnOnly).Append("ec2:CreateTags").Order(StringComparer.Ordinal)];

    /// <summary>What pods with the annotation <c>cloud-route</c> need besides, in its order.</summary>
    public static IReadOnlyList<string> RouteActions { get; } = [.. Routing.Concat(Forwarding).Order(StringComparer.Ordinal)];

    /// <summary>
    /// An IAM policy, as JSON, for the controller's user or role. It can terminate only what carries Kip's tag, and set tags only on what it
    /// makes, in the call that makes it.
    /// </summary>
    /// <param name="cellRoleArn">The role of <see cref="AwsDriverOptions.InstanceProfile"/>, which the controller must be allowed to pass; null
    /// for cells without one.</param>
    /// <param name="cloudRoutes">Whether pods may ask for routes (<c>cloud-route</c>): by that the controller changes route tables.</param>
    public static string MakePolicy(string? cellRoleArn = null, bool cloudRoutes = false)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("Version", "2012-10-17");
            json.WriteStartArray("Statement");
            Write(json, "Look", ReadOnly);
            Write(json, "MakeCells", Making);
            Write(json, "TagWhatIsMade", ["ec2:CreateTags"], ("StringEquals", "ec2:CreateAction", [.. Making.Select(static action => action["ec2:".Length..])]));
            Write(json, "ChangeOnlyWhatIsKips", OwnOnly, Kips);
            Write(json, "AttachToKipsOwn", Attaching, Kips, "arn:*:ec2:*:*:instance/*");
            Write(json, "AttachAnyVolume", Attaching, resource: "arn:*:ec2:*:*:volume/*");
            if (cloudRoutes)
            {
                Write(json, "RouteToCells", Routing, resource: "arn:*:ec2:*:*:route-table/*");
                Write(json, "LetCellsForward", Forwarding, Kips);
            }

            if (cellRoleArn is not null)
            {
                Write(json, "GiveCellsTheirRole", ["iam:PassRole"], ("StringLike", "iam:PassedToService", ["ec2.amazonaws.com*"]), cellRoleArn);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(
        Utf8JsonWriter json, string id, string[] actions, (string Operator, string Key, string[] Values)? condition = null, string resource = "*")
    {
        json.WriteStartObject();
        json.WriteString("Sid", id);
        json.WriteString("Effect", "Allow");
        WriteArray(json, "Action", actions);
        json.WriteString("Resource", resource);
        if (condition is var (@operator, key, values))
        {
            json.WriteStartObject("Condition");
            json.WriteStartObject(@operator);
            WriteArray(json, key, values);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteArray(Utf8JsonWriter json, string name, string[] values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
