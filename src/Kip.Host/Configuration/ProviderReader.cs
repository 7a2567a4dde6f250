using System.Net;
using System.Text.RegularExpressions;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Networking;
using Kip.Sizing;

namespace Kip.Host.Configuration;

/// <summary>Reads provider.yaml: the file as the Go Kip read it, then every check it made, those it should have made, and the defaults.</summary>
internal sealed partial class ProviderReader
{
    private const string FillIn = "FILL_IN";
    private const int MaxNametag = 34;
    private const int MaxInterfaceName = 15;
    private const int MaxSeconds = int.MaxValue / 1000;
    private const long Gib = 1L << 30;

    private readonly ConfigurationDocument<ProviderFile> _document;
    private readonly Func<string, string?> _environment;
    private readonly FieldErrors _errors = new();
    private readonly List<string> _warnings;

    private ProviderReader(ConfigurationDocument<ProviderFile> document, Func<string, string?> environment)
    {
        _document = document;
        _environment = name => environment(name) is { Length: > 0 } value ? value : null;
        _warnings = [.. document.Warnings];
    }

    /// <summary>Reads a file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="needsCloud">Whether a file without a cloud is wrong, as it is for a node.</param>
    /// <param name="environment">The environment's variables, of which some go before what the file says.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ManifestException">The file is no YAML, or a value is of the wrong type; the message says where.</exception>
    /// <exception cref="ConfigurationException">Values are wrong; the message names each with its place.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static async Task<ProviderConfiguration> ReadAsync(string path, bool needsCloud, Func<string, string?> environment, CancellationToken cancellationToken)
    {
        var document = await Manifest.ReadConfigurationAsync(path, ProviderFileContext.Default.ProviderFile, cancellationToken).ConfigureAwait(false);
        var reader = new ProviderReader(document, environment);
        var configuration = await reader.ReadAsync(needsCloud, cancellationToken).ConfigureAwait(false);
        return reader._errors.All.Count == 0
            ? configuration
            : throw new ConfigurationException(path, [.. reader._errors.All.Select(e => $"{document.Place(e.Field)}: {e}")]);
    }

    private async Task<ProviderConfiguration> ReadAsync(bool needsCloud, CancellationToken cancellationToken)
    {
        var file = _document.Value;
        foreach (var field in _document.PathsOf(FillIn))
        {
            _errors.Required(field, $"{FillIn} stands where a value must be filled in");
        }

        WarnOfDeadKeys();
        var cloud = Cloud(file.Cloud, needsCloud);
        return new ProviderConfiguration
        {
            Cloud = cloud,
            Cells = await CellsAsync(file.Cells ?? new CellsSection(), cloud, cancellationToken).ConfigureAwait(false),
            Kubelet = Kubelet(file.Kubelet ?? new KubeletSection()),
            ControllerId = ControllerId(Text(file.Testing?.ControllerId)),
            Warnings = _warnings,
        };
    }

    // A label of Cell objects, a tag of instances.
    private string? ControllerId(string? id)
    {
        if (id is not null && Names.LabelValue(id) is { } problem)
        {
            _errors.Invalid("testing.controllerID", id, problem);
        }

        return id;
    }

    private void WarnOfDeadKeys()
    {
        Dead("etcd", "Kip has no etcd of its own any more");
        Dead("cells.useCloudParameterStore", "cells make their keys themselves, and all else fits into user data");
        Dead("cloud.aws.ecsClusterName", "Kip launches no container instances any more");
        Dead("cells.statusInterval", "cells tell at once what happens on them, nothing is asked for at intervals");

        void Dead(string field, string why)
        {
            if (_document.Has(field))
            {
                _warnings.Add($"{_document.Place(field)}: {field} has no effect: {why}");
            }
        }
    }

    private CloudConfiguration? Cloud(CloudSection? cloud, bool needed)
    {
        var given = new (string Name, object? Section)[] { ("aws", cloud?.Aws), ("gce", cloud?.Gce), ("azure", cloud?.Azure), ("local", cloud?.Local) }
            .Where(static c => c.Section is not null).Select(static c => c.Name).ToList();
        if (given.Count > 1)
        {
            _errors.Forbidden("cloud", $"there are {string.Join(" and ", given)}; one cloud can be configured");
        }
        else if (given.Count == 0 && needed)
        {
            _errors.Required("cloud", "one of aws, gce, azure or local, such as \"gce: {}\"");
        }

        return cloud switch
        {
            { Aws: { } aws } => Aws(aws),
            { Gce: { } gce } => Gce(gce),
            { Azure: { } azure } => Azure(azure),
            { Local: { } local } => Local(local),
            _ => null,
        };
    }

    private AwsConfiguration Aws(AwsSection aws)
    {
        const string Field = "cloud.aws";
        var region = Text(aws.Region);
        Matches($"{Field}.region", region, RegionPattern(), "must be the name of a region, such as us-east-1 or us-gov-west-1");
        var id = _environment("AWS_ACCESS_KEY_ID") ?? Text(aws.AccessKeyId);
        var key = _environment("AWS_SECRET_ACCESS_KEY") ?? Text(aws.SecretAccessKey);
        if (id is null != key is null && aws.AccessKeyId != FillIn && aws.SecretAccessKey != FillIn)
        {
            _errors.Required($"{Field}.{(id is null ? "accessKeyID" : "secretAccessKey")}", "an access key has two parts, and only the other one is given");
        }

        return new AwsConfiguration
        {
            Region = _environment("AWS_DEFAULT_REGION") ?? _environment("AWS_REGION") ?? region,
            AccessKey = id is not null && key is not null ? (id, new Secret(key)) : null,
            VpcId = Text(aws.VpcId),
            SubnetId = Text(aws.SubnetId),
            Endpoint = Address($"{Field}.endpointURL", aws.EndpointUrl),
            InterruptionQueue = Address($"{Field}.interruptionQueueURL", aws.InterruptionQueueUrl),
            SkipTlsVerify = aws.InsecureTlsSkipVerify ?? false,
            ConnectToPublicAddress = aws.ConnectToPublicAddress ?? false,
        };
    }

    private GceConfiguration Gce(GceSection gce)
    {
        const string Field = "cloud.gce";
        Matches($"{Field}.zone", Text(gce.Zone), ZonePattern(), "must be the name of a zone, such as us-west1-a");
        ExistingFile($"{Field}.credentialsFile", Text(gce.CredentialsFile));
        if (Text(gce.CredentialsFile) is not null && gce.Credentials is not null)
        {
            _errors.Forbidden($"{Field}.credentials", "give credentials or credentialsFile, not both");
        }

        return new GceConfiguration
        {
            ProjectId = Text(gce.ProjectId) ?? _environment("GOOGLE_CLOUD_PROJECT"),
            CredentialsFile = Text(gce.CredentialsFile),
            Credentials = gce.Credentials is { } credentials
                ? (Required($"{Field}.credentials.clientEmail", credentials.ClientEmail), new Secret(Required($"{Field}.credentials.privateKey", credentials.PrivateKey)))
                : null,
            Zone = Text(gce.Zone),
            VpcName = Text(gce.VpcName),
            SubnetName = Text(gce.SubnetName),
        };
    }

    private AzureConfiguration Azure(AzureSection azure)
    {
        const string Field = "cloud.azure";
        return new AzureConfiguration
        {
            SubscriptionId = Required($"{Field}.subscriptionID", azure.SubscriptionId),
            Location = Required($"{Field}.location", azure.Location),
            ResourceGroup = Required($"{Field}.resourceGroup", azure.ResourceGroup),
            TenantId = _environment("AZURE_TENANT_ID") ?? Text(azure.TenantId),
            ClientId = _environment("AZURE_CLIENT_ID") ?? Text(azure.ClientId),
            ClientSecret = (_environment("AZURE_CLIENT_SECRET") ?? Text(azure.ClientSecret)) is { } secret ? new Secret(secret) : null,
            VirtualNetworkName = Text(azure.VirtualNetworkName),
            SubnetName = Text(azure.SubnetName),
        };
    }

    private LocalConfiguration Local(LocalSection local)
    {
        if (Text(local.Bridge) is { } bridge && (bridge.Length > MaxInterfaceName || bridge.Any(static c => c is '/' or ':' || char.IsWhiteSpace(c))))
        {
            _errors.Invalid("cloud.local.bridge", bridge, $"must be the name of a network interface: at most {MaxInterfaceName} characters, none of them a space, / or :");
        }

        if (Text(local.Cidr) is { } cidr && !Cidr.TryParse(cidr, out _))
        {
            _errors.Invalid("cloud.local.cidr", cidr, "must be a range of addresses such as 10.213.0.0/16");
        }

        return new LocalConfiguration { Bridge = Text(local.Bridge), Cidr = Text(local.Cidr), ImageArchives = local.ImageArchives };
    }

    private async Task<CellsConfiguration> CellsAsync(CellsSection cells, CloudConfiguration? cloud, CancellationToken cancellationToken)
    {
        if (cloud is not (null or LocalConfiguration))
        {
            _ = Required("cells.defaultInstanceType", cells.DefaultInstanceType);
        }

        if (cells.StatusInterval < 1)
        {
            _errors.Invalid("cells.statusInterval", cells.StatusInterval.Value, "must be at least 1");
        }

        if (Text(cells.Nametag) is { } nametag && (nametag.Length > MaxNametag || !NametagPattern().IsMatch(nametag)))
        {
            _errors.Invalid("cells.nametag", nametag, $"must be at most {MaxNametag} of a-z, 0-9 and -, start with a letter and not end with -");
        }

        if (cells.StandbyBudgetPerHour < 0)
        {
            _errors.Invalid("cells.standbyBudgetPerHour", cells.StandbyBudgetPerHour.Value, "must be dollars per hour, 0 or more");
        }

        return new CellsConfiguration
        {
            BootImage = BootImage(cells.BootImageSpec, cloud),
            DefaultInstanceType = Text(cells.DefaultInstanceType),
            DefaultVolumeBytes = VolumeBytes(cells.DefaultVolumeSize),
            SizingRule = Rule(Text(cells.Sizing)),
            TerminatesOrphans = TerminatesOrphans(Text(cells.Orphans)),
            ReplacesAtRebalance = ReplacesAtRebalance(Text(cells.Rebalance)),
            Store = Store(Text(cells.Store)),
            Overhead = Overhead(cells.Overhead ?? []),
            StandbyCells = [.. (cells.StandbyCells ?? []).Select(StandbyCells)],
            StandbyBudgetPerHour = cells.StandbyBudgetPerHour ?? 0,
            CallLimits = CallLimits(cells.CallLimits, cloud),
            CloudInitFile = await CloudInitFileAsync(Text(cells.CloudInitFile), cancellationToken).ConfigureAwait(false),
            AgentVersion = Text(cells.Itzo?.Version),
            AgentUrl = Address("cells.itzo.url", cells.Itzo?.Url),
            AgentSha256 = AgentSha256(cells.Itzo),
            ExtraCidrs = [.. (cells.ExtraCidrs ?? []).Select(Range)],
            ExtraSecurityGroups = cells.ExtraSecurityGroups ?? [],
            Nametag = Text(cells.Nametag),
            HealthCheck = HealthCheck(cells.HealthCheck),
            PrivateIPOnly = cells.PrivateIPOnly ?? false,
            CellConfig = cells.CellConfig ?? [],
            DefaultIamPermissions = Text(cells.DefaultIamPermissions),
            Registries = [.. (cells.Registries ?? []).Select(Registry)],
        };

        bool TerminatesOrphans(string? text)
        {
            _errors.OneOf("cells.orphans", text, "report", "terminate");
            return text != "report";
        }

        bool ReplacesAtRebalance(string? text)
        {
            _errors.OneOf("cells.rebalance", text, "tell", "replace");
            return text == "replace";
        }

        SizingRule Rule(string? text)
        {
            _errors.OneOf("cells.sizing", text, "kubernetes", "go-kip");
            return text == "go-kip" ? SizingRule.GoKip : SizingRule.Kubernetes;
        }

        CellStorePlace? Store(string? text)
        {
            _errors.OneOf("cells.store", text, "cluster", "file");
            return text switch
            {
                "cluster" => CellStorePlace.Cluster,
                "file" => CellStorePlace.File,
                _ => null,
            };
        }

        ResourceRequest Overhead(Dictionary<string, string> amounts)
        {
            var overhead = ResourceRequest.CellOverhead;
            foreach (var (name, text) in amounts)
            {
                var field = $"cells.overhead[{name}]";
                if (!Quantity.TryParse(text, out var amount, out var problem) || amount.Sign < 0)
                {
                    _errors.Invalid(field, text, problem.Length > 0 ? problem : "must be greater than or equal to 0");
                    continue;
                }

                switch (name)
                {
                    case "cpu":
                        overhead = overhead with { MilliCpu = amount.MilliValue() };
                        break;
                    case "memory":
                        overhead = overhead with { MemoryBytes = amount.ToInt64Ceiling() };
                        break;
                    case "ephemeral-storage":
                        overhead = overhead with { DiskBytes = amount.ToInt64Ceiling() };
                        break;
                    default:
                        _errors.NotSupported(field, name, "cpu", "memory", "ephemeral-storage");
                        break;
                }
            }

            return overhead;
        }

        IPNetwork Range(string text, int i)
        {
            if (!Cidr.TryParse(text, out var range))
            {
                _errors.Invalid($"cells.extraCIDRs[{i}]", text, "must be a range of addresses such as 10.0.0.0/8");
            }

            return range;
        }
    }

    private string? AgentSha256(ItzoSection? itzo)
    {
        Matches("cells.itzo.sha256", Text(itzo?.Sha256), Sha256Pattern(), "must be 64 hexadecimal digits");
        return Text(itzo?.Sha256);
    }

    private Dictionary<string, string> BootImage(Dictionary<string, string>? spec, CloudConfiguration? cloud)
    {
        string[]? known = cloud switch
        {
            AwsConfiguration => ["executableUsers", "filters", "imageIDs", "owners"],
            GceConfiguration => ["image", "project"],
            _ => null,
        };
        foreach (var key in spec?.Keys ?? Enumerable.Empty<string>())
        {
            if (known?.Contains(key) == false)
            {
                _errors.NotSupported($"cells.bootImageSpec.{key}", key, known);
            }
        }

        return spec ?? [];
    }

    private long? VolumeBytes(string? size)
    {
        if (size is null)
        {
            return new CellsConfiguration().DefaultVolumeBytes;
        }

        if (size.Length == 0)
        {
            return null;
        }

        if (!Quantity.TryParse(size, out var quantity, out var problem))
        {
            _errors.Invalid("cells.defaultVolumeSize", size, problem);
        }
        else if (quantity.Sign <= 0 || quantity > Quantity.FromBytes(int.MaxValue * Gib))
        {
            _errors.Invalid("cells.defaultVolumeSize", size, "must be greater than 0, and fewer than 2^31 GiB");
        }
        else
        {
            return quantity.ToInt64Ceiling();
        }

        return null;
    }

    private CallLimits? CallLimits(CallLimitsSection? limits, CloudConfiguration? cloud)
    {
        if (limits is null)
        {
            return null;
        }

        if (cloud is LocalConfiguration)
        {
            _warnings.Add($"{_document.Place("cells.callLimits")}: cells.callLimits has no effect: local cells are made as fast as this machine can");
        }

        return new CallLimits
        {
            Launch = Limit("launch", limits.Launch),
            Instances = Limit("instances", limits.Instances),
            Terminate = Limit("terminate", limits.Terminate),
            List = Limit("list", limits.List),
        };

        RateLimit? Limit(string action, RateLimitSection? limit)
        {
            var field = $"cells.callLimits.{action}";
            if (limit is null)
            {
                return null;
            }

            if (limit.PerSecond is null)
            {
                _errors.Required($"{field}.perSecond", "how many in the long run, such as 5");
            }
            else if (!(limit.PerSecond > 0))
            {
                _errors.Invalid($"{field}.perSecond", limit.PerSecond.Value, "must be more than 0");
            }

            if (limit.Burst is null)
            {
                _errors.Required($"{field}.burst", "how many at once after a rest, such as 100");
            }
            else if (limit.Burst < 1)
            {
                _errors.Invalid($"{field}.burst", limit.Burst.Value, "must be at least 1");
            }

            return new RateLimit(limit.PerSecond ?? 1, limit.Burst ?? 1);
        }
    }

    private StandbyCells StandbyCells(StandbyCellsSection cells, int i)
    {
        var field = $"cells.standbyCells[{i}]";
        _errors.AtLeast($"{field}.count", cells.Count, 0);
        if (cells.Dedicated == true)
        {
            _errors.Forbidden($"{field}.dedicated", "Kip launches no cells on dedicated hosts");
        }

        return new StandbyCells(
            Required($"{field}.instanceType", cells.InstanceType), cells.Count ?? 0, cells.Spot == true ? CapacityType.Spot : CapacityType.OnDemand)
        {
            Images = (IReadOnlyList<string>?)cells.Images ?? [],
        };
    }

    private async Task<string?> CloudInitFileAsync(string? path, CancellationToken cancellationToken)
    {
        const string Field = "cells.cloudInitFile";
        if (path is null || !ExistingFile(Field, path))
        {
            return path;
        }

        try
        {
            _ = await Manifest.ReadConfigurationAsync(path, ProviderFileContext.Default.DictionaryStringJsonElement, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ManifestException or IOException or UnauthorizedAccessException)
        {
            _errors.Invalid(Field, path, e.Message);
        }

        return path;
    }

    private HealthCheckConfiguration HealthCheck(HealthCheckSection? check)
    {
        const string Field = "cells.healthcheck";
        var standard = new HealthCheckConfiguration();
        if (check is { Status: not null, CloudApi: not null })
        {
            _errors.Forbidden(Field, "give status or cloudAPI, not both");
        }

        if (check?.CloudApi is { } cloud)
        {
            return new HealthCheckConfiguration
            {
                CloudInterval = Seconds($"{Field}.cloudAPI.interval", cloud.Interval is > 0 ? cloud.Interval : 60, 10),
                HealthyTimeout = Seconds($"{Field}.cloudAPI.healthyTimeout", cloud.HealthyTimeout ?? 180, 1),
            };
        }

        return check?.Status?.HealthyTimeout is { } timeout and not 0
            ? standard with { HealthyTimeout = Seconds($"{Field}.status.healthyTimeout", timeout, 1) }
            : standard;
    }

    private TimeSpan Seconds(string field, int? seconds, int least)
    {
        if (seconds < least || seconds > MaxSeconds)
        {
            _errors.Invalid(field, seconds.Value, $"must be from {least} to {MaxSeconds} seconds");
        }

        return TimeSpan.FromSeconds(seconds ?? least);
    }

    private RegistryConfiguration Registry(RegistrySection registry, int i)
    {
        var field = $"cells.registries[{i}]";
        var mirrors = registry.Mirrors ?? [];
        return new RegistryConfiguration
        {
            Registry = Required($"{field}.registry", registry.Registry, "a host, or host:port"),
            Mirrors = [.. mirrors.Select((m, j) => Address($"{field}.mirrors[{j}]", m)).OfType<Uri>()],
            InsecureSkipVerify = registry.InsecureSkipVerify ?? false,
        };
    }

    private KubeletConfiguration Kubelet(KubeletSection kubelet)
    {
        var capacity = new Dictionary<string, Quantity>(KubeletConfiguration.DefaultCapacity);
        foreach (var (name, text) in kubelet.Capacity ?? [])
        {
            NameIs($"kubelet.capacity.{name}", name, Names.QualifiedName);
            Add($"kubelet.capacity.{name}", name, text);
        }

        foreach (var (name, text) in new[] { ("cpu", kubelet.Cpu), ("memory", kubelet.Memory), ("pods", kubelet.Pods) })
        {
            if (Text(text) is not null)
            {
                Add($"kubelet.{name}", name, text!);
                _warnings.Add($"{_document.Place($"kubelet.{name}")}: kubelet.{name} is deprecated: write kubelet.capacity.{name}");
            }
        }

        var labels = kubelet.Labels ?? [];
        foreach (var (name, value) in labels)
        {
            NameIs($"kubelet.labels.{name}", name, Names.QualifiedName);
            NameIs($"kubelet.labels.{name}", value, Names.LabelValue);
        }

        return new KubeletConfiguration { Capacity = capacity, Labels = labels };

        void Add(string field, string name, string text)
        {
            if (!Quantity.TryParse(text, out var quantity, out var problem))
            {
                _errors.Invalid(field, text, problem);
            }
            else if (quantity.Sign < 0)
            {
                _errors.Invalid(field, text, "must not be negative");
            }
            else
            {
                capacity[name] = quantity;
            }
        }

        void NameIs(string field, string name, Func<string, string?> check)
        {
            if (check(name) is { } problem)
            {
                _errors.Invalid(field, name, problem);
            }
        }
    }

    // What says FILL_IN was complained of already.
    private static string? Text(string? text) => text is "" or FillIn ? null : text;

    private string Required(string field, string? value, string detail = "")
    {
        if (value is null or "")
        {
            _errors.Required(field, detail);
        }

        return value ?? "";
    }

    private void Matches(string field, string? value, Regex pattern, string detail)
    {
        if (value is not null && !pattern.IsMatch(value))
        {
            _errors.Invalid(field, value, detail);
        }
    }

    private Uri? Address(string field, string? text)
    {
        if (Text(text) is null)
        {
            return null;
        }

        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
        {
            return address;
        }

        _errors.Invalid(field, text!, "must be an http:// or https:// address");
        return null;
    }

    private bool ExistingFile(string field, string? path)
    {
        if (path is null || File.Exists(path))
        {
            return path is not null;
        }

        _errors.Invalid(field, path, Directory.Exists(path) ? "is a directory; a file is wanted" : "there is no such file");
        return false;
    }

    [GeneratedRegex(@"\A[a-z]+(-[a-z]+)+-[0-9]{1,2}\z", RegexOptions.CultureInvariant)]
    private static partial Regex RegionPattern();

    [GeneratedRegex(@"\A[0-9a-fA-F]{64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Sha256Pattern();

    [GeneratedRegex(@"\A[a-z0-9]+-[a-z0-9]+-[a-z0-9]+\z", RegexOptions.CultureInvariant)]
    private static partial Regex ZonePattern();

    [GeneratedRegex(@"\A[a-z]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex NametagPattern();
}

/// <summary>Values of the configuration are wrong: one line for each, with its place and path.</summary>
internal sealed class ConfigurationException(string source, IReadOnlyList<string> problems)
    : FormatException(problems.Count == 1 ? problems[0] : $"{source} has {problems.Count} errors:\n  {string.Join("\n  ", problems)}")
{
    public IReadOnlyList<string> Problems { get; } = problems;
}
