using System.Security.Cryptography;
using System.Text;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Kip.EndToEnd.Tests;

/// <summary>
/// <c>kip doctor --cloud aws</c> as it is published, with each source of credentials that AWS's own tools take: what trimming has cut away would
/// be missing here.
/// </summary>
[Collection("AWS")] // one after the other: moto takes seconds of processor time for a catalog
public sealed class AwsDoctorTests(MotoServer moto) : KipStory, IClassFixture<MotoServer>
{
    [MotoKipFact]
    public async Task Doctor_KeyInTheEnvironment_IsReady() =>
        AssertReady(await DoctorAsync(("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret")));

    [MotoKipFact]
    public async Task Doctor_Profile_IsReady()
    {
        var file = Path.Combine(Kip.Folder, "credentials");
        await File.WriteAllTextAsync(file, "[cells]\naws_access_key_id = AKIATEST\naws_secret_access_key = secret\n");

        AssertReady(await DoctorAsync(("AWS_SHARED_CREDENTIALS_FILE", file), ("AWS_PROFILE", "cells")));
    }

    [MotoKipFact]
    public async Task Doctor_ProfileThatTakesARole_IsReady()
    {
        var file = Path.Combine(Kip.Folder, "credentials");
        await File.WriteAllTextAsync(file, """
            [base]
            aws_access_key_id = AKIATEST
            aws_secret_access_key = secret
            [cells]
            role_arn = arn:aws:iam::123456789012:role/kip
            source_profile = base
            region = us-east-1
            """);

        AssertReady(await DoctorAsync(("AWS_SHARED_CREDENTIALS_FILE", file), ("AWS_PROFILE", "cells"), ("AWS_ENDPOINT_URL_STS", $"{moto.Address}")));
    }

    // What EKS gives a pod whose service account has a role (IRSA).
    [MotoKipFact]
    public async Task Doctor_WebIdentity_IsReady()
    {
        var token = Path.Combine(Kip.Folder, "token");
        await File.WriteAllTextAsync(token, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6a2lwOmtpcCJ9.");

        AssertReady(await DoctorAsync(
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/kip"), ("AWS_WEB_IDENTITY_TOKEN_FILE", token), ("AWS_ENDPOINT_URL_STS", $"{moto.Address}")));
    }

    [MotoKipFact]
    public async Task Doctor_WebIdentityWithoutItsToken_SaysWhatIsMissing()
    {
        var doctor = await DoctorAsync(("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/kip"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"));

        Assert.Equal(1, doctor.ExitCode);
        Assert.Matches(@"(?m)^MISSING  credentials  .*no credentials can be had by AWS_WEB_IDENTITY_TOKEN_FILE: ", doctor.Output);
    }

    // What EKS Pod Identity gives a pod.
    [MotoKipFact]
    public async Task Doctor_PodIdentity_IsReady()
    {
        var token = Path.Combine(Kip.Folder, "token");
        await File.WriteAllTextAsync(token, "the pod's token");
        await using var agent = await FakeEndpoint.StartAsync(request => request.Headers.Authorization == "the pod's token" ? Keys : null);

        AssertReady(await DoctorAsync(("AWS_CONTAINER_CREDENTIALS_FULL_URI", $"{agent.Address}/v1/credentials"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)));
    }

    [MotoKipFact]
    public async Task Doctor_InstanceMetadata_IsReadByVersion2()
    {
        await using var metadata = await FakeEndpoint.StartAsync(static request => (request.Method, request.Path.Value) switch
        {
            ("PUT", "/latest/api/token") => "the session's token",
            ("GET", _) when request.Headers["X-aws-ec2-metadata-token"] != "the session's token" => null,
            ("GET", "/latest/meta-data/iam/security-credentials" or "/latest/meta-data/iam/security-credentials/") => "kip",
            ("GET", "/latest/meta-data/iam/security-credentials/kip") => Keys,
            _ => null,
        });

        AssertReady(await DoctorAsync(("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.Address), ("AWS_EC2_METADATA_DISABLED", "false")));
    }

    [MotoKipFact]
    public async Task Doctor_LoggedInBySso_IsReady()
    {
        await using var portal = await FakeEndpoint.StartAsync(static request => IsAskedForCells(request, "the access token") ? RoleKeys : null);
        await WriteSsoAsync(accessToken: "the access token", TimeSpan.FromHours(1));

        AssertReady(await DoctorAsync(("AWS_PROFILE", "cells"), ("AWS_ENDPOINT_URL_SSO", portal.Address)));
    }

    [MotoKipFact]
    public async Task Doctor_SsoTokenHasExpired_IsRenewed()
    {
        await using var portal = await FakeEndpoint.StartAsync(static request =>
            request.Path == "/token" ? """{"accessToken":"the new token","expiresIn":3600,"tokenType":"Bearer","refreshToken":"the next one"}"""
            : IsAskedForCells(request, "the new token") ? RoleKeys
            : null);
        await WriteSsoAsync(accessToken: "the old token", TimeSpan.FromHours(-1), refreshToken: "the refresh token");

        AssertReady(await DoctorAsync(("AWS_PROFILE", "cells"), ("AWS_ENDPOINT_URL_SSO", portal.Address), ("AWS_ENDPOINT_URL_SSO_OIDC", portal.Address)));
    }

    [MotoKipTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Doctor_SsoLoginIsOver_SaysToLogIn(bool wasLoggedIn)
    {
        await WriteSsoAsync(accessToken: wasLoggedIn ? "the old token" : null, TimeSpan.FromHours(-1));

        var doctor = await DoctorAsync(("AWS_PROFILE", "cells"));

        Assert.Equal(1, doctor.ExitCode);
        Assert.Matches(@"(?m)^MISSING  credentials  cannot list the cells: the profile is one of aws sso login, and there is no login, or it is over: log in with aws sso login --profile cells$", doctor.Output);
    }

    [MotoKipFact]
    public async Task Doctor_NoCredentials_SaysWhereTheyComeFrom()
    {
        var doctor = await DoctorAsync();

        Assert.Equal(1, doctor.ExitCode);
        Assert.Matches(@"(?m)^MISSING  credentials  .*there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run Kip with a role$", doctor.Output);
    }

    private static string Keys => """{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"AKIATEST","SecretAccessKey":"secret","Token":"session","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}""";

    private static string RoleKeys => """{"roleCredentials":{"accessKeyId":"AKIATEST","secretAccessKey":"secret","sessionToken":"session","expiration":4070908800000}}""";

    private static bool IsAskedForCells(HttpRequest request, string token) =>
        request.Path == "/federation/credentials" && request.Query["account_id"] == "123456789012" && request.Query["role_name"] == "Cells" && request.Headers["x-amz-sso_bearer_token"] == token;

    /// <summary>What <c>aws configure sso</c> and <c>aws sso login</c> leave behind.</summary>
    private async Task WriteSsoAsync(string? accessToken, TimeSpan left, string? refreshToken = null)
    {
        var aws = Directory.CreateDirectory(Path.Combine(Kip.Folder, ".aws"));
        await File.WriteAllTextAsync(Path.Combine(aws.FullName, "config"), """
            [profile cells]
            sso_session = corp
            sso_account_id = 123456789012
            sso_role_name = Cells
            region = us-east-1
            [sso-session corp]
            sso_region = us-east-1
            sso_start_url = https://corp.awsapps.com/start
            sso_registration_scopes = sso:account:access
            """);
        if (accessToken is null)
        {
            return;
        }

        var cache = aws.CreateSubdirectory(Path.Combine("sso", "cache"));
        var until = TimeProvider.System.GetUtcNow() + left;
        var renewing = refreshToken is null ? "" : $$""" "refreshToken": "{{refreshToken}}", "clientId": "client", "clientSecret": "of the client", "registrationExpiresAt": "2099-01-01T00:00:00Z", """;
#pragma warning disable CA5350 // The name of the file is AWS's.
        await File.WriteAllTextAsync(
            Path.Combine(cache.FullName, $"{Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes("corp")))}.json"),
            $$"""{ "startUrl": "https://corp.awsapps.com/start", "region": "us-east-1", {{renewing}} "accessToken": "{{accessToken}}", "expiresAt": "{{until:yyyy-MM-ddTHH:mm:ssZ}}" }""");
#pragma warning restore CA5350
    }

    private static void AssertReady(KipResult doctor)
    {
        Assert.True(doctor.ExitCode == 0, doctor.ToString());
        Assert.Equal("This account can run cells on EC2.", doctor.OutputLines[^1]);
    }

    private async Task<KipResult> DoctorAsync(params (string Name, string Value)[] environment)
    {
        await File.WriteAllTextAsync(Kip.ProviderFile, $$"""
            cloud:
              aws: {region: us-east-1, endpointURL: "{{moto.Address}}"}
            cells:
              defaultInstanceType: t3.nano
              bootImageSpec: {owners: amazon, filters: "name=amzn2-ami-*"}
            """);
        var command = Kip.Command("doctor", "--cloud", "aws");
        foreach (var name in command.Environment.Keys.Where(static n => n.StartsWith("AWS_", StringComparison.Ordinal)).ToList())
        {
            command.Environment.Remove(name);
        }

        command.Environment["HOME"] = Kip.Folder;
        command.Environment["AWS_REGION"] = "us-east-1";
        command.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
        foreach (var (name, value) in environment)
        {
            command.Environment[name] = value;
        }

        return await Kip.Start(command).EndsAsync();
    }
}
