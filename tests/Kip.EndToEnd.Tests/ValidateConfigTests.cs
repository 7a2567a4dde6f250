using System.Diagnostics;
using Kip.EndToEnd.Tests.Support;

namespace Kip.EndToEnd.Tests;

/// <summary><c>kip validate-config</c>, and what else of the Go Kip's command line is answered.</summary>
public sealed class ValidateConfigTests : KipStory
{
    [KipFact]
    public async Task ValidateConfig_Valid_SaysSoAndWhatHasNoEffect()
    {
        File.WriteAllText(Kip.ProviderFile, "cloud: {gce: {}}\ncells:\n  defaultInstanceType: e2-micro\n  statusInterval: 5\nkublet: {}\n");

        var run = await DoAsync("validate-config", Kip.ProviderFile);

        Assert.Equal((0, $"{Kip.ProviderFile} is valid.\n"), (run.ExitCode, run.Output));
        Assert.Equal(2, run.ErrorLines.Count);
        Assert.Contains($"warning: {Kip.ProviderFile}:5: unknown field \"kublet\" (did you mean \"kubelet\"?)", run.ErrorLines);
        Assert.Contains($"warning: {Kip.ProviderFile}:4: cells.statusInterval has no effect: ", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task ValidateConfig_Wrong_NamesEveryError()
    {
        File.WriteAllText(Kip.ProviderFile, "cloud:\n  aws:\n    region: FILL_IN\ncells:\n  defaultInstanceType: t3.nano\n  nametag: Prod\n");

        var run = await DoAsync("validate-config", Kip.ProviderFile);

        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.StartsWith($"kip: {Kip.ProviderFile} has 2 errors:\n  {Kip.ProviderFile}:3: cloud.aws.region: Required value: ", run.Errors, StringComparison.Ordinal);
        Assert.Contains($"  {Kip.ProviderFile}:6: cells.nametag: Invalid value: ", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task ValidateConfig_NoFile_IsNamed()
    {
        var run = await DoAsync("validate-config", "/no/such/provider.yaml");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("/no/such/provider.yaml", run.Errors, StringComparison.Ordinal);
    }

    [KipFact]
    public async Task Providers_OfTheGoKip_AreAnswered()
    {
        var all = await DoAsync("providers");
        var other = await DoAsync("providers", "aws");

        Assert.Equal((0, "kip\n"), (all.ExitCode, all.Output));
        Assert.Equal((1, "kip: there is no provider aws\n"), (other.ExitCode, other.Errors));
    }

    private Task<KipResult> DoAsync(params string[] arguments) => Kip.Start(new ProcessStartInfo(BuiltKip.Program, arguments)).EndsAsync();
}
