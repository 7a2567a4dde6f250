using System.CommandLine;
using Kip.Host.Configuration;
using Kip.Kubernetes;

namespace Kip.Host.Commands;

/// <summary><c>kip validate-config provider.yaml</c>: what <c>kip node</c> would say of it. Changes nothing, asks no cloud.</summary>
internal static class ValidateConfigCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "provider.yaml" };
        var command = new Command("validate-config", "Check a provider.yaml for kip node: every error and every key without effect, with its place") { file };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetRequiredValue(file), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            var configuration = await ProviderReader.ReadAsync(path, needsCloud: true, Environment.GetEnvironmentVariable, cancellationToken).ConfigureAwait(false);
            foreach (var warning in configuration.Warnings)
            {
                await Console.Error.WriteLineAsync($"warning: {warning}").ConfigureAwait(false);
            }

            Console.Out.WriteLine($"{path} is valid.");
            return ExitCodes.Ok;
        }
        catch (Exception e) when (e is ManifestException or ConfigurationException or IOException or UnauthorizedAccessException)
        {
            throw new HostException(ExitCodes.Usage, e.Message, e);
        }
    }
}
