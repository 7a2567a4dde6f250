using System.CommandLine;
using Kip.Drivers;
using Kip.Drivers.Aws;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Host.Commands;

/// <summary><c>kip doctor</c>: what is there, what is missing, how to mend it. Changes nothing.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var shared = new SharedOptions();
        var cloud = CloudOption.Create("local for cells on this machine, aws for cells on EC2");
        var command = new Command("doctor", "Check this machine, or a cloud account: what is there, what is missing, what to do about it") { cloud };
        shared.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var settings = await HostSettings.LoadAsync(shared.Read(parsed), needsCloud: false, cancellationToken).ConfigureAwait(false);
            return parsed.GetValue(cloud) == CloudOption.Aws
                ? Report([.. await CheckAwsAsync(settings.Provider, cancellationToken).ConfigureAwait(false)], "This account can run cells on EC2.")
                : Report([.. LocalRequirements.Check(settings.LocalOptions("doctor")).Select(static c => (c.Name, c.Ok, c.Detail, c.Remedy))], "This machine can run local cells.");
        });
        return command;
    }

    private static async Task<IEnumerable<(string Name, bool Ok, string Detail, string? Remedy)>> CheckAwsAsync(ProviderConfiguration provider, CancellationToken cancellationToken)
    {
        try
        {
            var options = AwsSettings.Read(
                provider.Cloud as AwsConfiguration ?? new AwsConfiguration(), provider.Cells, provider.ControllerId ?? "doctor", Environment.GetEnvironmentVariable);
            using var driver = new AwsDriver(options, TimeProvider.System, NullLogger<AwsDriver>.Instance);
            return (await driver.CheckAsync(cancellationToken).ConfigureAwait(false)).Select(static c => (c.Name, c.Ok, c.Detail, (string?)null));
        }
        catch (DriverException e)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }
    }

    private static int Report(IReadOnlyList<(string Name, bool Ok, string Detail, string? Remedy)> checks, string ready)
    {
        var width = checks.Max(static c => c.Name.Length);
        foreach (var check in checks)
        {
            Console.Out.WriteLine($"{(check.Ok ? "ok     " : "MISSING")}  {check.Name.PadRight(width)}  {check.Detail}");
            if (!check.Ok && check.Remedy is { } remedy)
            {
                Console.Out.WriteLine($"         {new string(' ', width)}  -> {remedy}");
            }
        }

        var missing = checks.Count(static c => !c.Ok);
        Console.Out.WriteLine(missing == 0 ? ready : $"{missing} of {checks.Count} checks failed.");
        return missing == 0 ? ExitCodes.Ok : ExitCodes.NotReady;
    }
}
