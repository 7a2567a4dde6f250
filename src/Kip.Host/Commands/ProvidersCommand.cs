using System.CommandLine;
using Kip.Host.Configuration;

namespace Kip.Host.Commands;

/// <summary><c>kip providers</c>: the Go Kip had it, and scripts ask it.</summary>
internal static class ProvidersCommand
{
    private const string Only = "kip";

    public static Command Create()
    {
        var name = new Argument<string?>("name") { Description = "Ask for one", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("providers", "List the providers, of which there is one") { name };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(name) is { } asked && asked != Only)
            {
                throw new HostException(ExitCodes.NotReady, $"there is no provider {asked}");
            }

            Console.Out.WriteLine(Only);
        });
        return command;
    }
}
