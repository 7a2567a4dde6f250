using System.Text.Json;
using System.Text.RegularExpressions;
using Amazon.Runtime;
using Kip.Tests.Support;

namespace Kip.Drivers.Aws.Tests;

/// <summary>moto that checks signatures and policies, once three calls have made somebody who may do something.</summary>
public sealed class StrictMotoServer() : MotoServer(("INITIAL_NO_AUTH_ACTION_COUNT", "3"));

public sealed class AwsPermissionsTests : IDisposable
{
    private readonly FakeAws _aws = new();
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(2));

    public void Dispose()
    {
        _aws.Dispose();
        _limit.Dispose();
    }

    [Fact]
    public async Task Actions_Always_AreThoseThatTheDriverCalls()
    {
        await EveryCall.MakeAsync(_aws, _limit.Token);

        // EC2 wants CreateTags for tags that are set in another call; a login of the public registry is a bearer token besides.
        var called = _aws.Calls.Select(call => call.Permission).Append("ec2:CreateTags").Append("sts:GetServiceBearerToken");
        Assert.Equal(called.Distinct().Order(StringComparer.Ordinal), AwsPermissions.Actions.Concat(AwsPermissions.RouteActions).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void MakePolicy_Always_AllowsTheActionsAndNoOther()
    {
        using var policy = JsonDocument.Parse(AwsPermissions.MakePolicy());

        var allowed = policy.RootElement.GetProperty("Statement").EnumerateArray().SelectMany(statement => statement.GetProperty("Action").EnumerateArray()).Select(action => action.GetString()!);
        Assert.Equal(AwsPermissions.Actions, allowed.Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void MakePolicy_WithARole_LetsItBePassedToEc2Only()
    {
        using var policy = JsonDocument.Parse(AwsPermissions.MakePolicy("arn:aws:iam::123456789012:role/cells"));

        var pass = policy.RootElement.GetProperty("Statement").EnumerateArray().Last();
        Assert.Equal(("iam:PassRole", "arn:aws:iam::123456789012:role/cells"), (pass.GetProperty("Action")[0].GetString(), pass.GetProperty("Resource").GetString()));
    }

    [Fact]
    public void MakePolicy_WithRoutes_AllowsTheirActionsToo()
    {
        using var policy = JsonDocument.Parse(AwsPermissions.MakePolicy(cloudRoutes: true));

        var allowed = policy.RootElement.GetProperty("Statement").EnumerateArray().SelectMany(statement => statement.GetProperty("Action").EnumerateArray()).Select(action => action.GetString()!);
        Assert.Equal(AwsPermissions.Actions.Concat(AwsPermissions.RouteActions).Order(StringComparer.Ordinal), allowed.Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Documentation_Always_ShowsThePolicy()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "aws.md"));

        Assert.Contains($"```json\n{AwsPermissions.MakePolicy()}\n```", page, StringComparison.Ordinal);
    }

    [MotoFact]
    public async Task Policy_OfSomebodyWithNoOther_IsEnoughForAll()
    {
        // moto takes every call of EC2 to be about everything.
        var (key, server) = await StartAsync(AwsPermissions.MakePolicy().Replace("arn:*:ec2:*:*:instance/*", "*", StringComparison.Ordinal));
        try
        {
            using var moto = new IdempotentMoto(server);
            using var driver = moto.MakeDriver(MakeOptions(key));
            var image = await driver.ResolveImageAsync("", _limit.Token);
            await driver.GetCatalogAsync(_limit.Token);
            var instance = await driver.LaunchAsync(FakeAws.MakeRequest() with { ImageId = image }, _limit.Token);
            Assert.Single(await driver.ListAsync(_limit.Token));
            Assert.NotNull(await driver.GetRegistryLoginAsync("123456789012.dkr.ecr.us-east-1.amazonaws.com", _limit.Token));
            var checks = await driver.CheckAsync(_limit.Token);
            Assert.All(checks, check => Assert.True(check.Ok && !check.Detail.Contains("do not allow", StringComparison.Ordinal), $"{check.Name}: {check.Detail}"));
            Assert.Superset(new HashSet<string> { "ec2:AttachVolume", "ec2:DetachVolume", "vCPUs on demand", "registry logins", "prices" }, checks.Select(check => check.Name).ToHashSet());
            await driver.TerminateAsync([instance.Id], _limit.Token);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [MotoFact]
    public async Task Policy_WithoutRunInstances_IsMissedByName()
    {
        var (key, server) = await StartAsync(AwsPermissions.MakePolicy().Replace("\"ec2:RunInstances\"", "\"ec2:StartInstances\"", StringComparison.Ordinal));
        try
        {
            using var moto = new IdempotentMoto(server);
            using var driver = moto.MakeDriver(MakeOptions(key));
            var image = await driver.ResolveImageAsync("", _limit.Token);

            var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(FakeAws.MakeRequest() with { ImageId = image }, _limit.Token));
            var checks = await driver.CheckAsync(_limit.Token);

            Assert.Equal(DriverErrorKind.Unauthorized, error.Kind);
            Assert.Contains("the credentials do not allow ec2:RunInstances", error.Message, StringComparison.Ordinal);
            Assert.Equal(["ec2:RunInstances"], checks.Where(check => !check.Ok).Select(check => check.Name));
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [MotoFact]
    public async Task Key_WithAWrongSecret_IsUnauthorized()
    {
        var (key, server) = await StartAsync(AwsPermissions.MakePolicy());
        try
        {
            using var moto = new IdempotentMoto(server);
            using var driver = moto.MakeDriver(MakeOptions(key with { Secret = "wrong" }));

            var error = await Assert.ThrowsAsync<DriverException>(() => driver.ListAsync(_limit.Token));

            Assert.Equal(DriverErrorKind.Unauthorized, error.Kind);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static AwsDriverOptions MakeOptions((string Id, string Secret) key) => FakeAws.MakeOptions() with
    {
        Credentials = new BasicAWSCredentials(key.Id, key.Secret),
        Image = "owners=amazon; filters=name=amzn2-ami-*",
    };

    /// <summary>A server and somebody in it who has that policy.</summary>
    private async Task<((string Id, string Secret) Key, MotoServer Server)> StartAsync(string policy)
    {
        var server = new StrictMotoServer();
        await server.InitializeAsync();
        try
        {
            await AskAsync("CreateUser", ("UserName", "kip"));
            await AskAsync("PutUserPolicy", ("UserName", "kip"), ("PolicyName", "kip"), ("PolicyDocument", policy));
            var key = (await AskAsync("CreateAccessKey", ("UserName", "kip"))).ToString();
            return ((Value("AccessKeyId"), Value("SecretAccessKey")), server);

            string Value(string name) => Regex.Match(key, $"<{name}>([^<]*)").Groups[1].Value;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        Task<System.Xml.Linq.XElement> AskAsync(string action, params (string Name, string Value)[] parameters) =>
            server.QueryAsync("iam", "2010-05-08", action, _limit.Token, parameters);
    }
}
