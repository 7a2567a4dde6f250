using System.CommandLine;
using Kip.Drivers.Local;
using Kip.Host.Configuration;

namespace Kip.Host.Commands;

/// <summary><c>kip doctor</c>: what is installed, what is missing, how to mend it. Changes nothing.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var shared = new SharedOptions();
        var command = new Command("doctor", "Check this machine: what is there, what is missing, what to do about it");
        shared.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(shared.Read(parsed), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(SharedOptions.Values flags, CancellationToken cancellationToken)
    {
        var settings = await HostSettings.LoadAsync(flags, cancellationToken).ConfigureAwait(false);
        var checks = LocalRequirements.Check(settings.LocalOptions("doctor"));
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
        Console.Out.WriteLine(missing == 0 ? "This machine can run local cells." : $"{missing} of {checks.Count} checks failed.");
        return missing == 0 ? ExitCodes.Ok : ExitCodes.NotReady;
    }
}
