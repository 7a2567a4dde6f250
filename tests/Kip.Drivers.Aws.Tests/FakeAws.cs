using System.Collections.Concurrent;
using System.Net;
using System.Web;
using Amazon.Runtime;
using Kip.Drivers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Drivers.Aws.Tests;

/// <summary>One request as AWS gets it: its action and the parameters of its form, or of a service that speaks JSON its <c>Body</c>.</summary>
public sealed record Ec2Call(string Action, IReadOnlyDictionary<string, string> Parameters)
{
    /// <summary>Service and region, as the signature names them.</summary>
    public (string Service, string Region) Scope { get; init; }

    /// <summary>Where it was sent.</summary>
    public Uri? Address { get; init; }

    /// <summary>Service and action in the header of a request in JSON.</summary>
    public string? Target { get; init; }

    /// <summary>The permission that it needs.</summary>
    public string Permission => $"{Scope.Service}:{Action}";

    public string? this[string name] => Parameters.GetValueOrDefault(name);

    /// <summary>The value of a filter, or null.</summary>
    public string? Filter(string name)
    {
        var number = Parameters.FirstOrDefault(parameter => parameter.Key.StartsWith("Filter.", StringComparison.Ordinal) && parameter.Value == name).Key?.Split('.')[1];
        return number is null ? null : this[$"Filter.{number}.Value.1"];
    }

    /// <summary>A request to any service.</summary>
    public static async Task<Ec2Call> ReadAnyAsync(HttpRequestMessage request)
    {
        var call = await ReadAsync(request)
            ?? new Ec2Call(request.Headers.GetValues("X-Amz-Target").Single().Split('.')[1], new Dictionary<string, string> { ["Body"] = await request.Content!.ReadAsStringAsync() });
        var scope = request.Headers.GetValues("Authorization").Single().Split("Credential=")[1].Split(',')[0].Split('/');
        var target = request.Headers.TryGetValues("X-Amz-Target", out var targets) ? targets.Single() : null;
        return call with { Scope = (scope[3], scope[2]), Address = request.RequestUri, Target = target };
    }

    public static async Task<Ec2Call?> ReadAsync(HttpRequestMessage request)
    {
        if (request.Content?.Headers.ContentType?.MediaType != "application/x-www-form-urlencoded")
        {
            return null;
        }

        var form = HttpUtility.ParseQueryString(await request.Content.ReadAsStringAsync());
        var parameters = form.AllKeys.OfType<string>().ToDictionary(key => key, key => form[key]!);
        return new Ec2Call(parameters["Action"], parameters);
    }
}

/// <summary>
/// EC2 as far as one test needs it: keeps every request, and answers as the test says, or else as an account with a default network,
/// two zones and an image would. What it cannot do is judge; that is moto's and the service model's part.
/// </summary>
public sealed class FakeAws : HttpMessageHandler
{
    public const string Controller = "ctl";
    public const string GroupName = "kip-ctl-cellsecuritygroup";

    private const string Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
    private readonly ConcurrentDictionary<string, Func<Ec2Call, HttpResponseMessage>> _answers = new();
    private readonly ConcurrentQueue<Ec2Call> _calls = new();

    public FakeAws()
    {
        Answer("DescribeVpcs", """
            <vpcSet><item><vpcId>vpc-1</vpcId><cidrBlock>172.31.0.0/16</cidrBlock><isDefault>true</isDefault><cidrBlockAssociationSet>
            <item><cidrBlock>172.31.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item></cidrBlockAssociationSet></item></vpcSet>
            """);
        Answer("DescribeSubnets", """
            <subnetSet>
            <item><subnetId>subnet-a</subnetId><vpcId>vpc-1</vpcId><state>available</state><availabilityZone>us-east-1a</availabilityZone><availableIpAddressCount>4000</availableIpAddressCount><defaultForAz>true</defaultForAz></item>
            <item><subnetId>subnet-b</subnetId><vpcId>vpc-1</vpcId><state>available</state><availabilityZone>us-east-1b</availabilityZone><availableIpAddressCount>4000</availableIpAddressCount><defaultForAz>true</defaultForAz></item>
            </subnetSet>
            """);
        Answer("DescribeRouteTables", """
            <routeTableSet>
            <item><routeTableId>rtb-main</routeTableId><associationSet><item><main>true</main></item></associationSet><routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-1</gatewayId><state>active</state></item></routeSet></item>
            </routeTableSet>
            """);
        Answer("DescribeSecurityGroups", $"""
            <securityGroupInfo><item><groupId>sg-1</groupId><groupName>{GroupName}</groupName><ipPermissions><item><ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>172.31.0.0/16</cidrIp></item></ipRanges></item></ipPermissions>
            <tagSet><item><key>KipControllerID</key><value>ctl</value></item></tagSet></item></securityGroupInfo>
            """);
        Answer("CreateSecurityGroup", "<groupId>sg-1</groupId>");
        Answer("AuthorizeSecurityGroupIngress", "<return>true</return>");
        Answer("RevokeSecurityGroupIngress", "<return>true</return>");
        Answer("DescribeImages", """
            <imagesSet><item><imageId>ami-1</imageId><imageState>available</imageState><rootDeviceName>/dev/xvda</rootDeviceName><architecture>x86_64</architecture><creationDate>2026-01-01T00:00:00.000Z</creationDate>
            <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeSize>8</volumeSize></ebs></item></blockDeviceMapping></item></imagesSet>
            """);
        Answer("RunInstances", call => Instances("instancesSet", Instance("i-1", "pending", call)));
        Answer("DescribeInstances", "<reservationSet/>");
        Answer("TerminateInstances", "<instancesSet/>");
        Answer("GetParameter", _ => Json(HttpStatusCode.OK, """{"Parameter":{"Name":"/p","Value":"ami-1","Version":1}}"""));
        Answer("ecr:GetAuthorizationToken", _ => Json(HttpStatusCode.OK, """{"authorizationData":[{"authorizationToken":"QVdTOnByaXZhdGU=","expiresAt":4102444800.5,"proxyEndpoint":"https://123456789012.dkr.ecr.us-east-1.amazonaws.com"}]}"""));
        Answer("ecr-public:GetAuthorizationToken", _ => Json(HttpStatusCode.OK, """{"authorizationData":{"authorizationToken":"QVdTOnB1YmxpYw==","expiresAt":4102444800}}"""));
        Answer("GetProducts", _ => Json(HttpStatusCode.OK, """{"FormatVersion":"aws_v1","PriceList":[]}"""));
        Answer("GetServiceQuota", _ => Json(HttpStatusCode.OK, """{"Quota":{"ServiceCode":"ec2","QuotaName":"any","Value":64.0}}"""));
        foreach (var action in new[] { "CreateRoute", "ReplaceRoute", "DeleteRoute", "ModifyInstanceAttribute" })
        {
            Answer(action, "<return>true</return>");
        }

        Answer("AttachVolume", "<status>attaching</status>");
        Answer("DetachVolume", "<status>detaching</status>");
    }

    /// <summary>All requests until now, in their order.</summary>
    public IReadOnlyList<Ec2Call> Calls => [.. _calls];

    public Ec2Call Last(string action) => Calls.Last(call => call.Action == action);

    public int Count(string action) => Calls.Count(call => call.Action == action);

    /// <summary>Answers an action, with its service before it where several have one of that name, with the members of its response.</summary>
    public void Answer(string action, string members) => Answer(action, _ => Xml(HttpStatusCode.OK, $"<{action}Response xmlns=\"{Namespace}\"><requestId>r-1</requestId>{members}</{action}Response>"));

    public void Answer(string action, Func<Ec2Call, HttpResponseMessage> answer) => _answers[action] = answer;

    /// <summary>Answers an action with an error, each time, or only the first times.</summary>
    public void Fail(string action, string code, string message = "what AWS says", HttpStatusCode status = HttpStatusCode.BadRequest, int times = int.MaxValue)
    {
        var usual = _answers.GetValueOrDefault(action);
        Answer(action, call => times-- > 0 ? Error(code, message, status) : usual!(call));
    }

    public static HttpResponseMessage Error(string code, string message, HttpStatusCode status) =>
        Xml(status, $"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>");

    public static HttpResponseMessage Instances(string action, params string[] instances) => Xml(HttpStatusCode.OK, action == "instancesSet"
        ? $"<RunInstancesResponse xmlns=\"{Namespace}\"><requestId>r-1</requestId><instancesSet>{string.Concat(instances)}</instancesSet></RunInstancesResponse>"
        : $"<DescribeInstancesResponse xmlns=\"{Namespace}\"><reservationSet><item><instancesSet>{string.Concat(instances)}</instancesSet></item></reservationSet></DescribeInstancesResponse>");

    /// <summary>An instance as EC2 describes it, launched by the call or a usual one.</summary>
    public static string Instance(string id, string state, Ec2Call? launch = null)
    {
        var zone = launch?["NetworkInterface.1.SubnetId"] == "subnet-b" ? "us-east-1b" : "us-east-1a";
        return $"""
            <item><instanceId>{id}</instanceId><instanceState><code>0</code><name>{state}</name></instanceState><instanceType>{launch?["InstanceType"] ?? "t3.nano"}</instanceType>
            <placement><availabilityZone>{zone}</availabilityZone></placement><privateIpAddress>172.31.0.4</privateIpAddress><launchTime>2026-01-01T00:00:00.000Z</launchTime>
            {(launch?["InstanceMarketOptions.MarketType"] is { } market ? $"<instanceLifecycle>{market}</instanceLifecycle>" : "")}
            <networkInterfaceSet><item><privateIpAddressesSet><item><primary>true</primary><privateIpAddress>172.31.0.4</privateIpAddress></item><item><primary>false</primary><privateIpAddress>172.31.0.5</privateIpAddress></item></privateIpAddressesSet></item></networkInterfaceSet>
            <tagSet><item><key>KipControllerID</key><value>{Controller}</value></item><item><key>Node</key><value>cell-1</value></item></tagSet></item>
            """;
    }

    public static HttpResponseMessage Xml(HttpStatusCode status, string body) => new(status) { Content = new StringContent(body, System.Text.Encoding.UTF8, "text/xml") };

    public static HttpResponseMessage Json(HttpStatusCode status, string body) => new(status) { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/x-amz-json-1.1") };

    public AwsDriver MakeDriver(AwsDriverOptions? options = null, TimeProvider? timeProvider = null) =>
        new(options ?? MakeOptions(), timeProvider ?? TimeProvider.System, NullLogger<AwsDriver>.Instance, () => new Shared(this));

    public static AwsDriverOptions MakeOptions() => new()
    {
        ControllerId = Controller,
        Region = "us-east-1",
        Credentials = new BasicAWSCredentials("AKIATEST", "secret"),
        Image = "ami-1",
    };

    public static LaunchRequest MakeRequest() => new()
    {
        LaunchToken = "0123456789abcdef0123456789abcdef",
        InstanceType = "t3.nano",
        Zone = "us-east-1a",
        ImageId = "ami-1",
        DiskBytes = (10L << 30) + 1,
        UserData = """{"cellId":"cell-1","controllerCa":"-----BEGIN CERTIFICATE-----\n'\n","enrolmentToken":"dG9rZW4="}""",
        Tags = new Dictionary<string, string>
        {
            [InstanceTags.ControllerId] = Controller,
            [InstanceTags.CellId] = "cell-1",
            [InstanceTags.Name] = "Kip default/web",
            [InstanceTags.PodNamespace] = "default",
            [InstanceTags.PodName] = "web",
        },
    };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var call = await Ec2Call.ReadAnyAsync(request);
        _calls.Enqueue(call);
        var response = (_answers.GetValueOrDefault(call.Permission) ?? _answers[call.Action])(call);
        response.RequestMessage = request;
        return response;
    }

    /// <summary>Each client disposes of its handler; the fake outlives them.</summary>
    private sealed class Shared(FakeAws fake) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => fake.SendAsync(request, cancellationToken);
    }
}
