using System.Net;
using System.Security.Cryptography;
using System.Text;
using Kip.EndToEnd.Tests.Support;
using Kip.Tests.Support;

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
        using var agent = new MetadataServer(request => request.Headers["Authorization"] == "the pod's token" ? Keys : null);

        AssertReady(await DoctorAsync(("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.Address + "v1/credentials"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)));
    }

    [MotoKipFact]
    public async Task Doctor_NoCredentials_SaysWhereTheyComeFrom()
    {
        var doctor = await DoctorAsync();

        Assert.Equal(1, doctor.ExitCode);
        Assert.Matches(@"(?m)^MISSING  credentials  .*there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or run Kip with a role$", doctor.Output);
    }

    private static string Keys => """{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"AKIATEST","SecretAccessKey":"secret","Token":"session","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}""";

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

    /// <summary>Answers requests with a text, or with 404 where it is null.</summary>
    private sealed class MetadataServer : IDisposable
    {
        private readonly HttpListener _listener = new();

        public MetadataServer(Func<HttpListenerRequest, string?> answer)
        {
            Address = Listen();
            _ = ServeAsync(answer);
        }

        public string Address { get; }

        public void Dispose() => _listener.Close();

        private string Listen()
        {
            while (true)
            {
                var address = $"http://127.0.0.1:{RandomNumberGenerator.GetInt32(20_000, 32_000)}/";
                try
                {
                    _listener.Prefixes.Clear();
                    _listener.Prefixes.Add(address);
                    _listener.Start();
                    return address;
                }
                catch (HttpListenerException)
                {
                    // Somebody else listens there.
                }
            }
        }

        private async Task ServeAsync(Func<HttpListenerRequest, string?> answer)
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    var text = answer(context.Request);
                    context.Response.StatusCode = text is null ? 404 : 200;
                    await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(text ?? ""));
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // It is closed.
            }
        }
    }
}
