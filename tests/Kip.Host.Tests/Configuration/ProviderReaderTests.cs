using System.Globalization;
using Kip.Cells;
using Kip.Drivers;
using Kip.Host.Configuration;
using Kip.Kubernetes;

namespace Kip.Host.Tests.Configuration;

public sealed class ProviderReaderTests : IDisposable
{
    private const string Local = "cloud: {local: {}}\n";
    private const string Aws = "cells: {defaultInstanceType: t3.nano}\ncloud:\n  aws:\n";
    private const string Gce = "cells: {defaultInstanceType: e2-micro}\ncloud:\n  gce:\n";
    private const string Azure = "cells: {defaultInstanceType: Standard_B1s}\ncloud:\n  azure:\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("kip-provider-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    // The cloud.
    [InlineData("{}", "provider.yaml:1: cloud: Required value: one of aws, gce, azure or local, such as \"gce: {}\"")]
    [InlineData("cloud: {}", "provider.yaml:1: cloud: Required value: one of aws, gce, azure or local, such as \"gce: {}\"")]
    [InlineData("cloud:\n  local: {}\n  gce: {}\ncells: {defaultInstanceType: a}\n", "provider.yaml:1: cloud: Forbidden: there are gce and local; one cloud can be configured")]
    [InlineData("cloud: gce", "provider.yaml:1:8: cloud: expected a mapping, found the string \"gce\"")]
    [InlineData(Aws + "    region: FILL_IN\n", "provider.yaml:4: cloud.aws.region: Required value: FILL_IN stands where a value must be filled in")]
    [InlineData(Aws + "    region: somewhere\n", "provider.yaml:4: cloud.aws.region: Invalid value: \"somewhere\": must be the name of a region, such as us-east-1 or us-gov-west-1")]
    [InlineData(Aws + "    accessKeyID: FILL_IN\n    secretAccessKey: s\n", "provider.yaml:4: cloud.aws.accessKeyID: Required value: FILL_IN stands where a value must be filled in")]
    [InlineData(Aws + "    accessKeyID: a\n    secretAccessKey: FILL_IN\n", "provider.yaml:5: cloud.aws.secretAccessKey: Required value: FILL_IN stands where a value must be filled in")]
    [InlineData(Aws + "    secretAccessKey: s\n", "provider.yaml:3: cloud.aws.accessKeyID: Required value: an access key has two parts, and only the other one is given")]
    [InlineData(Aws + "    accessKeyID: a\n", "cloud.aws.secretAccessKey: Required value: an access key has two parts, and only the other one is given")]
    [InlineData(Aws + "    vpcID: [a]\n", "provider.yaml:4:12: cloud.aws.vpcID: expected a string, found a list")]
    [InlineData(Aws + "    subnetID: {a: b}\n", "provider.yaml:4:15: cloud.aws.subnetID: expected a string, found a mapping")]
    [InlineData(Aws + "    ecsClusterName: [a]\n", "provider.yaml:4:21: cloud.aws.ecsClusterName: expected a string, found a list")]
    [InlineData(Aws + "    endpointURL: nowhere\n", "provider.yaml:4: cloud.aws.endpointURL: Invalid value: \"nowhere\": must be an http:// or https:// address")]
    [InlineData(Aws + "    insecureTLSSkipVerify: 1\n", "provider.yaml:4:28: cloud.aws.insecureTLSSkipVerify: expected true or false, found the number 1")]
    [InlineData(Gce + "    projectID: FILL_IN\n", "provider.yaml:4: cloud.gce.projectID: Required value: FILL_IN stands where a value must be filled in")]
    [InlineData(Gce + "    credentialsFile: /no/such\n", "provider.yaml:4: cloud.gce.credentialsFile: Invalid value: \"/no/such\": there is no such file")]
    [InlineData(Gce + "    credentialsFile: /\n", "provider.yaml:4: cloud.gce.credentialsFile: Invalid value: \"/\": is a directory; a file is wanted")]
    [InlineData(Gce + "    credentialsFile: FILE\n    credentials: {clientEmail: a, privateKey: b}\n", "provider.yaml:5: cloud.gce.credentials: Forbidden: give credentials or credentialsFile, not both")]
    [InlineData(Gce + "    credentials: {privateKey: b}\n", "provider.yaml:4: cloud.gce.credentials.clientEmail: Required value")]
    [InlineData(Gce + "    credentials: {clientEmail: a}\n", "provider.yaml:4: cloud.gce.credentials.privateKey: Required value")]
    [InlineData(Gce + "    zone: us-west1\n", "provider.yaml:4: cloud.gce.zone: Invalid value: \"us-west1\": must be the name of a zone, such as us-west1-a")]
    [InlineData(Gce + "    vpcName: []\n", "cloud.gce.vpcName: expected a string, found a list")]
    [InlineData(Gce + "    subnetName: []\n", "cloud.gce.subnetName: expected a string, found a list")]
    [InlineData(Azure + "    {location: East US, resourceGroup: g}\n", "cloud.azure.subscriptionID: Required value")]
    [InlineData(Azure + "    {subscriptionID: s, resourceGroup: g}\n", "cloud.azure.location: Required value")]
    [InlineData(Azure + "    {subscriptionID: s, location: East US, resourceGroup: ''}\n", "cloud.azure.resourceGroup: Required value")]
    [InlineData(Azure + "    {subscriptionID: s, location: l, resourceGroup: g, tenantID: FILL_IN}\n", "cloud.azure.tenantID: Required value: FILL_IN")]
    [InlineData(Azure + "    {subscriptionID: s, location: l, resourceGroup: g, clientID: FILL_IN}\n", "cloud.azure.clientID: Required value: FILL_IN")]
    [InlineData(Azure + "    {subscriptionID: s, location: l, resourceGroup: g, clientSecret: FILL_IN}\n", "cloud.azure.clientSecret: Required value: FILL_IN")]
    [InlineData(Azure + "    {subscriptionID: s, location: l, resourceGroup: g, virtualNetworkName: []}\n", "cloud.azure.virtualNetworkName: expected a string, found a list")]
    [InlineData(Azure + "    {subscriptionID: s, location: l, resourceGroup: g, subnetName: []}\n", "cloud.azure.subnetName: expected a string, found a list")]
    [InlineData("cloud: {local: {bridge: a-name-that-is-too-long}}", "cloud.local.bridge: Invalid value: \"a-name-that-is-too-long\": must be the name of a network interface: at most 15 characters")]
    [InlineData("cloud: {local: {cidr: everything}}", "cloud.local.cidr: Invalid value: \"everything\": must be a range of addresses such as 10.213.0.0/16")]
    [InlineData("cloud: {local: {imageArchives: a.tar}}", "cloud.local.imageArchives: expected a list, found the string \"a.tar\"")]
    // What every cell has in common.
    [InlineData(Local + "cells: {bootImageSpec: [a]}\n", "cells.bootImageSpec: expected a mapping, found a list")]
    [InlineData("cloud: {aws: {}}\ncells:\n  defaultInstanceType: t3.nano\n  bootImageSpec:\n    owner: me\n", "provider.yaml:5: cells.bootImageSpec.owner: Unsupported value: \"owner\": supported values: \"executableUsers\", \"filters\", \"imageIDs\", \"owners\"")]
    [InlineData("cloud: {gce: {}}\ncells: {defaultInstanceType: a, bootImageSpec: {owners: me}}\n", "cells.bootImageSpec.owners: Unsupported value: \"owners\": supported values: \"image\", \"project\"")]
    [InlineData("cloud: {aws: {}}\n", "provider.yaml:1: cells.defaultInstanceType: Required value")]
    [InlineData("cloud: {aws: {}}\ncells:\n  nametag: a\n", "provider.yaml:2: cells.defaultInstanceType: Required value")]
    [InlineData(Local + "cells: {sizing: best}\n", "cells.sizing: Unsupported value: \"best\": supported values: \"kubernetes\", \"go-kip\"")]
    [InlineData(Local + "cells: {store: etcd}\n", "cells.store: Unsupported value: \"etcd\": supported values: \"cluster\", \"file\"")]
    [InlineData(Local + "testing: {controllerID: not a label}\n", "testing.controllerID: Invalid value: \"not a label\"")]
    [InlineData(Local + "cells: {overhead: {memory: lots}}\n", "cells.overhead[memory]: Invalid value: \"lots\"")]
    [InlineData(Local + "cells: {overhead: {gpus: 1}}\n", "cells.overhead[gpus]: Unsupported value: \"gpus\": supported values: \"cpu\", \"memory\", \"ephemeral-storage\"")]
    [InlineData(Local + "cells: {defaultVolumeSize: lots}\n", "provider.yaml:2: cells.defaultVolumeSize: Invalid value: \"lots\": ")]
    [InlineData(Local + "cells: {defaultVolumeSize: 0}\n", "cells.defaultVolumeSize: Invalid value: \"0\": must be greater than 0")]
    [InlineData(Local + "cells: {defaultVolumeSize: -5Gi}\n", "cells.defaultVolumeSize: Invalid value: \"-5Gi\": must be greater than 0")]
    [InlineData(Local + "cells:\n  standbyCells:\n    - {instanceType: a, count: 1}\n    - {count: -2}\n", "provider.yaml:5: cells.standbyCells[1].instanceType: Required value", "provider.yaml:5: cells.standbyCells[1].count: Invalid value: -2: must be greater than or equal to 0")]
    [InlineData(Local + "cells: {standbyCells: [{instanceType: a, count: many}]}\n", "cells.standbyCells[0].count: expected a whole number, found the string \"many\"")]
    [InlineData(Local + "cells: {standbyCells: [{instanceType: a, spot: 'no'}]}\n", "cells.standbyCells[0].spot: expected true or false, found the string \"no\"; write it without quotes")]
    [InlineData(Local + "cells: {standbyCells: [{instanceType: a, dedicated: 0}]}\n", "cells.standbyCells[0].dedicated: expected true or false")]
    [InlineData(Local + "cells: {standbyCells: [{instanceType: a, dedicated: true}]}\n", "cells.standbyCells[0].dedicated: Forbidden: Kip launches no cells on dedicated hosts")]
    [InlineData(Local + "cells: {orphans: ignore}\n", "cells.orphans: Unsupported value: \"ignore\": supported values: \"report\", \"terminate\"")]
    [InlineData(Local + "cells: {rebalance: drain}\n", "cells.rebalance: Unsupported value: \"drain\": supported values: \"tell\", \"replace\"")]
    [InlineData(Local + "cells: {standbyBudgetPerHour: -0.5}\n", "cells.standbyBudgetPerHour: Invalid value: -0.5: must be dollars per hour, 0 or more")]
    [InlineData(Local + "cells: {standbyBudgetPerHour: much}\n", "cells.standbyBudgetPerHour: expected a number, found the string \"much\"")]
    [InlineData(Local + "cells: {callLimits: {launch: {perSecond: 0, burst: 0}}}\n", "cells.callLimits.launch.perSecond: Invalid value: 0: must be more than 0", "cells.callLimits.launch.burst: Invalid value: 0: must be at least 1")]
    [InlineData(Local + "cells:\n  callLimits:\n    list: {perSecond: 5}\n", "provider.yaml:4: cells.callLimits.list.burst: Required value: how many at once after a rest, such as 100")]
    [InlineData(Local + "cells: {callLimits: {terminate: fast}}\n", "cells.callLimits.terminate: expected a mapping, found the string \"fast\"")]
    [InlineData(Local + "cells: {standbyCells: [{instanceType: a, images: b}]}\n", "cells.standbyCells[0].images: expected a list, found the string \"b\"")]
    [InlineData(Local + "cells: {cloudInitFile: /no/such}\n", "provider.yaml:2: cells.cloudInitFile: Invalid value: \"/no/such\": there is no such file")]
    [InlineData(Local + "cells: {itzo: {version: []}}\n", "cells.itzo.version: expected a string, found a list")]
    [InlineData(Local + "cells: {itzo: {url: 'ftp://a/b'}}\n", "cells.itzo.url: Invalid value: \"ftp://a/b\": must be an http:// or https:// address")]
    [InlineData(Local + "cells: {extraCIDRs: [10.0.0.0/8, 10.0.0.1]}\n", "cells.extraCIDRs[1]: Invalid value: \"10.0.0.1\": must be a range of addresses such as 10.0.0.0/8")]
    [InlineData(Local + "cells: {extraSecurityGroups: sg-1}\n", "cells.extraSecurityGroups: expected a list, found the string \"sg-1\"")]
    [InlineData(Local + "cells: {nametag: Prod}\n", "cells.nametag: Invalid value: \"Prod\": must be at most 34 of a-z, 0-9 and -, start with a letter and not end with -")]
    [InlineData(Local + "cells: {nametag: a2345678901234567890123456789012345}\n", "cells.nametag: Invalid value: ")]
    [InlineData(Local + "cells: {nametag: a-}\n", "cells.nametag: Invalid value: ")]
    [InlineData(Local + "cells: {statusInterval: 0}\n", "cells.statusInterval: Invalid value: 0: must be at least 1")]
    [InlineData(Local + "cells: {statusInterval: 5s}\n", "cells.statusInterval: expected a whole number, found the string \"5s\"")]
    [InlineData(Local + "cells: {healthcheck: {status: {healthyTimeout: -1}}}\n", "cells.healthcheck.status.healthyTimeout: Invalid value: -1: must be from 1 to 2147483 seconds")]
    [InlineData(Local + "cells: {healthcheck: {cloudAPI: {interval: 9}}}\n", "cells.healthcheck.cloudAPI.interval: Invalid value: 9: must be from 10 to 2147483 seconds")]
    [InlineData(Local + "cells: {healthcheck: {cloudAPI: {healthyTimeout: 0}}}\n", "cells.healthcheck.cloudAPI.healthyTimeout: Invalid value: 0: must be from 1 to 2147483 seconds")]
    [InlineData(Local + "cells: {healthcheck: {cloudAPI: {}, status: {}}}\n", "cells.healthcheck: Forbidden: give status or cloudAPI, not both")]
    [InlineData(Local + "cells: {privateIPOnly: maybe}\n", "cells.privateIPOnly: expected true or false, found the string \"maybe\"")]
    [InlineData(Local + "cells: {cellConfig: {a: [b]}}\n", "cells.cellConfig.a: expected a string, found a list")]
    [InlineData(Local + "cells: {defaultIAMPermissions: [a]}\n", "cells.defaultIAMPermissions: expected a string, found a list")]
    [InlineData(Local + "cells: {useCloudParameterStore: 3}\n", "cells.useCloudParameterStore: expected true or false, found the number 3")]
    [InlineData(Local + "cells: {registries: [{mirrors: ['http://a']}]}\n", "cells.registries[0].registry: Required value: a host, or host:port")]
    [InlineData(Local + "cells: {registries: [{registry: a, mirrors: ['http://b', c]}]}\n", "cells.registries[0].mirrors[1]: Invalid value: \"c\": must be an http:// or https:// address")]
    [InlineData(Local + "cells: {registries: [{registry: a, insecureSkipVerify: x}]}\n", "cells.registries[0].insecureSkipVerify: expected true or false")]
    // The rest.
    [InlineData(Local + "etcd: {internal: {dataDir: []}}\n", "etcd.internal.dataDir: expected a string, found a list")]
    [InlineData(Local + "etcd: {internal: {configFile: []}}\n", "etcd.internal.configFile: expected a string, found a list")]
    [InlineData(Local + "etcd: {client: {endpoints: a}}\n", "etcd.client.endpoints: expected a list, found the string \"a\"")]
    [InlineData(Local + "etcd: {client: {certFile: {}}}\n", "etcd.client.certFile: expected a string, found a mapping")]
    [InlineData(Local + "testing: {controllerID: []}\n", "testing.controllerID: expected a string, found a list")]
    [InlineData(Local + "kubelet: {capacity: {cpu: much}}\n", "provider.yaml:2: kubelet.capacity.cpu: Invalid value: \"much\": ")]
    [InlineData(Local + "kubelet: {capacity: {cpu: -1}}\n", "kubelet.capacity.cpu: Invalid value: \"-1\": must not be negative")]
    [InlineData(Local + "kubelet: {capacity: {'a b': 1}}\n", "kubelet.capacity.a b: Invalid value: \"a b\": name part must consist of")]
    [InlineData(Local + "kubelet: {cpu: x}\n", "kubelet.cpu: Invalid value: \"x\": ")]
    [InlineData(Local + "kubelet: {memory: x}\n", "kubelet.memory: Invalid value: \"x\": ")]
    [InlineData(Local + "kubelet: {pods: -4}\n", "kubelet.pods: Invalid value: \"-4\": must not be negative")]
    [InlineData(Local + "kubelet: {labels: {'a/b/c': x}}\n", "kubelet.labels.a/b/c: Invalid value: \"a/b/c\": ")]
    [InlineData(Local + "kubelet: {labels: {a: 'x y'}}\n", "kubelet.labels.a: Invalid value: \"x y\": a valid label must be")]
    [InlineData("apiVersion: []", "apiVersion: expected a string, found a list")]
    [InlineData("kind: {}", "kind: expected a string, found a mapping")]
    // The text.
    [InlineData("", "provider.yaml:1:1: the manifest is empty")]
    [InlineData("cloud: [", "provider.yaml:2:")]
    [InlineData("cloud: {local: {}}\nCloud: {local: {}}\n", "provider.yaml:2:1: cloud: given twice, first in line 1; upper and lower case count as the same")]
    public async Task Read_Wrong_NamesThePathAndThePlace(string yaml, params string[] messages)
    {
        var error = await Assert.ThrowsAnyAsync<FormatException>(() => ReadAsync(yaml));

        Assert.All(messages, m => Assert.Contains(m, error.Message, StringComparison.Ordinal));
        Assert.Equal(messages.Length, (error as ConfigurationException)?.Problems.Count ?? 1);
    }

    [Fact]
    public async Task Read_CloudInitFileThatIsNoYaml_SaysWhereInIt()
    {
        var error = await Assert.ThrowsAsync<ConfigurationException>(() => ReadAsync(Local + "cells: {cloudInitFile: BROKEN}\n"));

        Assert.Contains($"provider.yaml:2: cells.cloudInitFile: Invalid value: \"{_folder}/broken.yaml\": {_folder}/broken.yaml:", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_ManyErrors_AllAreNamed()
    {
        var error = await Assert.ThrowsAsync<ConfigurationException>(() => ReadAsync("cloud:\n  gce:\n    zone: x\ncells:\n  nametag: X\nkubelet:\n  cpu: x\n"));

        Assert.Equal(4, error.Problems.Count);
        Assert.StartsWith($"{_folder}/provider.yaml has 4 errors:\n  {_folder}/provider.yaml:3: cloud.gce.zone: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_Nothing_GivesTheDefaults()
    {
        var configuration = await ReadAsync(Local);

        Assert.Equal(new LocalConfiguration(), configuration.Cloud);
        Assert.Empty(configuration.Warnings);
        Assert.Equal(5L << 30, configuration.Cells.DefaultVolumeBytes);
        Assert.Equal(new HealthCheckConfiguration { HealthyTimeout = TimeSpan.FromSeconds(90) }, configuration.Cells.HealthCheck);
        Assert.Equal(["cpu=20", "memory=100Gi", "pods=20"], Sorted(configuration.Kubelet.Capacity));
    }

    [Fact]
    public async Task Read_GoKipsFile_IsUnderstoodAsItUnderstoodIt()
    {
        var configuration = await ReadAsync("""
            apiVersion: v1
            kind: serverConfig
            cloud:
              AWS:
                Region: us-gov-west-1
                accesskeyid: AKIA
                secretAccessKey: shh
                vpcID: default
            etcd:
              internal: {dataDir: /opt/kip/data}
            cells:
              bootImageSpec: {owners: 012345678901, imageIDs: ami-1}
              defaultInstanceType: t3.nano
              defaultVolumeSize: 10
              standbyCells: [{instanceType: t3.small, count: 2, spot: yes}]
              standbyBudgetPerHour: 0.25
              itzo: {version: 1.10, url: 'https://example.com/itzo'}
              extraCIDRs: [10.1.2.3/8]
              nametag: a-tag-of-exactly-34-characters-abc
              healthCheck: {cloudAPI: {interval: 0}}
              cellConfig: {itzoFlag-v: 5, useOverlayfs: yes, nothing: }
              privateIPOnly: on
            kubelet:
              capacity: {cpu: 500m, nvidia.com/gpu: 4}
              pods: 1000
              labels: {tier: 1}
            testing: {controllerID: fixed}
            """);

        var aws = Assert.IsType<AwsConfiguration>(configuration.Cloud);
        Assert.Equal(("us-gov-west-1", "default", ("AKIA", new Secret("shh"))), (aws.Region, aws.VpcId, aws.AccessKey!.Value));
        Assert.DoesNotContain("shh", aws.ToString(), StringComparison.Ordinal);
        var cells = configuration.Cells;
        Assert.Equal(["imageIDs=ami-1", "owners=012345678901"], Sorted(cells.BootImage));
        Assert.Equal(10, cells.DefaultVolumeBytes);
        Assert.Equal([new StandbyCells("t3.small", 2, CapacityType.Spot)], cells.StandbyCells);
        Assert.Equal(0.25m, cells.StandbyBudgetPerHour);
        Assert.Equal(("1.10", new Uri("https://example.com/itzo")), (cells.AgentVersion, cells.AgentUrl));
        Assert.Equal("10.0.0.0/8", Assert.Single(cells.ExtraCidrs).ToString());
        Assert.Equal("a-tag-of-exactly-34-characters-abc", cells.Nametag);
        Assert.Equal((TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(180)), (cells.HealthCheck.CloudInterval, cells.HealthCheck.HealthyTimeout));
        Assert.Equal(["itzoFlag-v=5", "nothing=", "useOverlayfs=true"], Sorted(cells.CellConfig));
        Assert.True(cells.PrivateIPOnly);
        Assert.Equal(["cpu=500m", "memory=100Gi", "nvidia.com/gpu=4", "pods=1k"], Sorted(configuration.Kubelet.Capacity));
        Assert.Equal(["tier=1"], Sorted(configuration.Kubelet.Labels));
        Assert.Equal("fixed", configuration.ControllerId);
        Assert.Equal(
            [
                "9: etcd has no effect: Kip has no etcd of its own any more",
                "25: kubelet.pods is deprecated: write kubelet.capacity.pods",
            ],
            Warnings(configuration));
    }

    [Theory]
    [InlineData("clowd: {}\n", "2: unknown field \"clowd\" (did you mean \"cloud\"?)")]
    [InlineData("cells: {healthcheck: {status: {helthyTimeout: 3}}}\n", "2: unknown field \"cells.healthcheck.status.helthyTimeout\" (did you mean \"healthyTimeout\"?)")]
    [InlineData("cells:\n  statusInterval: 7\n", "3: cells.statusInterval has no effect: cells tell at once what happens on them, nothing is asked for at intervals")]
    [InlineData("cells: {useCloudParameterStore: true}\n", "2: cells.useCloudParameterStore has no effect: cells make their keys themselves, and all else fits into user data")]
    [InlineData("kubelet: {memory: 1Gi}\n", "2: kubelet.memory is deprecated: write kubelet.capacity.memory")]
    public async Task Read_WithoutEffect_IsSaid(string yaml, string warning) => Assert.Equal([warning], Warnings(await ReadAsync(Local + yaml)));

    [Fact]
    public async Task Read_Json_IsTakenToo()
    {
        var configuration = await ReadAsync("""{"cloud": {"gce": {"zone": "us-west1-a"}}, "cells": {"defaultInstanceType": "e2-micro", "defaultVolumeSize": ""}}""");

        Assert.Equal("us-west1-a", Assert.IsType<GceConfiguration>(configuration.Cloud).Zone);
        Assert.Null(configuration.Cells.DefaultVolumeBytes);
    }

    [Fact]
    public async Task Read_SecondDocument_IsNotLookedAt() => Assert.IsType<LocalConfiguration>((await ReadAsync(Local + "---\ncloud: {gce: {}}\n")).Cloud);

    [Theory]
    [InlineData("AWS_REGION", "eu-west-1", "eu-west-1")]
    [InlineData("AWS_DEFAULT_REGION", "eu-west-2", "eu-west-2")]
    [InlineData("OTHER", "x", "us-east-1")]
    public async Task Read_AwsEnvironment_GoesBeforeTheFile(string variable, string value, string region)
    {
        var configuration = await ReadAsync(Aws + "    region: us-east-1\n", new() { [variable] = value });

        Assert.Equal(region, Assert.IsType<AwsConfiguration>(configuration.Cloud).Region);
    }

    [Fact]
    public async Task Read_KeysInTheEnvironment_GoBeforeTheFile()
    {
        var aws = await ReadAsync(Aws + "    accessKeyID: a\n    secretAccessKey: b\n", new() { ["AWS_ACCESS_KEY_ID"] = "c", ["AWS_SECRET_ACCESS_KEY"] = "d" });
        var azure = await ReadAsync(Azure + "    {subscriptionID: s, location: l, resourceGroup: g, tenantID: a}\n", new() { ["AZURE_TENANT_ID"] = "t", ["AZURE_CLIENT_SECRET"] = "x" });
        var gce = await ReadAsync(Gce + "    {}\n", new() { ["GOOGLE_CLOUD_PROJECT"] = "p" });

        Assert.Equal(("c", new Secret("d")), Assert.IsType<AwsConfiguration>(aws.Cloud).AccessKey);
        Assert.Equal(("t", new Secret("x")), (Assert.IsType<AzureConfiguration>(azure.Cloud).TenantId, ((AzureConfiguration)azure.Cloud!).ClientSecret!.Value));
        Assert.Equal("p", Assert.IsType<GceConfiguration>(gce.Cloud).ProjectId);
    }

    [Fact]
    public async Task Read_NoCloudForACommandThatNeedsNone_IsFine()
    {
        var path = Path.Combine(_folder, "provider.yaml");
        await File.WriteAllTextAsync(path, "cells: {registries: [{registry: a}]}\n");

        var configuration = await ProviderReader.ReadAsync(path, needsCloud: false, static _ => null, CancellationToken.None);

        Assert.Null(configuration.Cloud);
        Assert.Equal("a", Assert.Single(configuration.Cells.Registries).Registry);
    }

    [Fact]
    public async Task Read_Missing_SaysWhichFile()
    {
        var error = await Assert.ThrowsAsync<FileNotFoundException>(() => ProviderReader.ReadAsync(Path.Combine(_folder, "none.yaml"), true, static _ => null, CancellationToken.None));

        Assert.Contains("none.yaml", error.Message, StringComparison.Ordinal);
    }

    private async Task<ProviderConfiguration> ReadAsync(string yaml, Dictionary<string, string>? environment = null)
    {
        var path = Path.Combine(_folder, "provider.yaml");
        await File.WriteAllTextAsync(Path.Combine(_folder, "file"), "");
        await File.WriteAllTextAsync(Path.Combine(_folder, "broken.yaml"), "packages: [");
        await File.WriteAllTextAsync(path, yaml.Replace("FILE", Path.Combine(_folder, "file"), StringComparison.Ordinal).Replace("BROKEN", Path.Combine(_folder, "broken.yaml"), StringComparison.Ordinal));
        return await ProviderReader.ReadAsync(path, needsCloud: true, n => environment?.GetValueOrDefault(n), CancellationToken.None);
    }

    private string[] Warnings(ProviderConfiguration configuration) => [.. configuration.Warnings.Select(w => w.Replace($"{_folder}/provider.yaml:", "", StringComparison.Ordinal))];

    private static string[] Sorted<T>(IReadOnlyDictionary<string, T> map) =>
        [.. map.Select(static p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}={p.Value}")).Order(StringComparer.Ordinal)];
}
