using Kip.Drivers;
using Kip.Drivers.Aws;
using Kip.Host.Configuration;

namespace Kip.Host.Tests.Configuration;

public sealed class AwsSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kip-aws-settings-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Read_EveryKey_IsTheDriversOption()
    {
        var options = await ReadAsync("""
            cloud:
              aws:
                region: eu-central-1
                accessKeyID: AKIATEST
                secretAccessKey: secret
                vpcID: vpc-1
                subnetID: subnet-1
                endpointURL: http://127.0.0.1:5000
                interruptionQueueURL: https://sqs.eu-central-1.amazonaws.com/123456789012/kip
                insecureTLSSkipVerify: true
                connectToPublicAddress: true
            cells:
              defaultInstanceType: t3.nano
              bootImageSpec: {owners: "1 self", filters: "name=a-*,b architecture=x86_64"}
              extraCIDRs: [10.0.0.0/8]
              extraSecurityGroups: [sg-1]
              nametag: blue
              defaultIAMPermissions: cells
              itzo:
                url: https://example.com/agent
                sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
            """);

        Assert.Equal("https://sqs.eu-central-1.amazonaws.com/123456789012/kip", options.InterruptionQueue?.AbsoluteUri);
        Assert.Equal(("me", "eu-central-1", "vpc-1", "http://127.0.0.1:5000/", true), (options.ControllerId, options.Region, options.VpcId, options.EndpointUrl?.ToString(), options.InsecureTlsSkipVerify));
        Assert.Equal("AKIATEST", (await options.Credentials!.GetCredentialsAsync()).AccessKey);
        Assert.Equal(["subnet-1"], options.SubnetIds);
        Assert.Equal(["10.0.0.0/8"], options.ExtraCidrs);
        Assert.Equal(["sg-1"], options.ExtraSecurityGroupIds);
        Assert.Equal("filters=name=a-*,b architecture=x86_64; owners=1 self", options.Image);
        Assert.Equal(((bool?)null, true, "cells"), (options.AssignPublicAddress, options.ConnectToPublicAddress, options.InstanceProfile));
        Assert.Equal(("https://example.com/agent", 64), (options.AgentUrl?.ToString(), options.AgentSha256?.Length));
        Assert.Equal("blue", options.Tags["KipNametag"]);
        Assert.NotNull(options.PriceList?.Find("t3.nano"));
    }

    [Fact]
    public async Task Read_NothingButARegion_LeavesTheDriversDefaults()
    {
        var options = await ReadAsync("cloud: {aws: {region: us-east-1}}\ncells: {defaultInstanceType: t3.nano}\n");
        var standard = new AwsDriverOptions { ControllerId = "me", Region = "us-east-1" };

        Assert.Equal((standard.Image, standard.VpcId, standard.AssignPublicAddress, standard.ConnectToPublicAddress), (options.Image, options.VpcId, options.AssignPublicAddress, options.ConnectToPublicAddress));
        Assert.Null(options.Credentials);
        Assert.Empty(options.SubnetIds);
        Assert.Empty(options.Tags);
    }

    [Fact]
    public async Task Read_CallLimits_AreThoseGiven_AndTheDriversForTheRest()
    {
        var options = await ReadAsync("cloud: {aws: {region: us-east-1}}\ncells: {defaultInstanceType: t3.nano, callLimits: {launch: {perSecond: 10.5, burst: 50}}}\n");
        var standard = new AwsDriverOptions { ControllerId = "me", Region = "us-east-1" }.CallLimits;

        Assert.Equal(standard with { Launch = new RateLimit(10.5, 50) }, options.CallLimits);
    }

    [Fact]
    public async Task Read_KeyOfTheEnvironment_IsLeftToAwsItselfForItsSessionToken()
    {
        var options = await ReadAsync(
            "cloud: {aws: {region: us-east-1}}\ncells: {defaultInstanceType: t3.nano}\n", ("AWS_ACCESS_KEY_ID", "ASIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret"));

        Assert.Null(options.Credentials);
    }

    [Fact]
    public async Task Read_PrivateIPOnly_NeverUsesPublicAddresses()
    {
        var options = await ReadAsync("cloud: {aws: {region: us-east-1, connectToPublicAddress: true}}\ncells: {defaultInstanceType: t3.nano, privateIPOnly: true}\n");

        Assert.Equal((false, false), (options.AssignPublicAddress, options.ConnectToPublicAddress));
    }

    [Fact]
    public async Task Read_SumThatIsNone_IsRefused()
    {
        var error = await Assert.ThrowsAsync<ConfigurationException>(() => ReadAsync("cloud: {aws: {region: us-east-1}}\ncells: {defaultInstanceType: t3.nano, itzo: {sha256: abc}}\n"));

        Assert.Contains("cells.itzo.sha256: Invalid value: \"abc\": must be 64 hexadecimal digits", error.Message, StringComparison.Ordinal);
    }

    private async Task<AwsDriverOptions> ReadAsync(string yaml, params (string Name, string Value)[] environment)
    {
        var path = Path.Combine(_folder, "provider.yaml");
        await File.WriteAllTextAsync(path, yaml);
        var provider = await ProviderReader.ReadAsync(path, needsCloud: true, Variable, CancellationToken.None);
        return AwsSettings.Read((AwsConfiguration)provider.Cloud!, provider.Cells, "me", Variable);

        string? Variable(string name) => environment.FirstOrDefault(variable => variable.Name == name).Value;
    }
}
