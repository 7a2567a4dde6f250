using System.CommandLine;
using System.CommandLine.Parsing;
using Kip.Host.Configuration;

namespace Kip.Host.Commands;

/// <summary>What is said of a command line that is wrong: what is wrong with it, and where to read on.</summary>
internal static class UsageErrors
{
    /// <summary>Says what is wrong. Returns the exit code, or null when nothing is, or when the command is only a group, whose help then says what there is.</summary>
    public static async Task<int?> ReportAsync(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (parsed.Errors.Count == 0 || (command.Subcommands.Count > 0 && parsed.UnmatchedTokens.Count == 0))
        {
            return null;
        }

        // That a group needs a command besides is no news where an unknown one was given.
        foreach (var error in parsed.Errors.Where(e => command.Subcommands.Count == 0 || parsed.UnmatchedTokens.Any(token => e.Message.Contains($"'{token}'", StringComparison.Ordinal))))
        {
            await Console.Error.WriteLineAsync($"kip: {error.Message}").ConfigureAwait(false);
        }

        var path = command is RootCommand ? "" : $" {command.Name}";
        for (var outer = parsed.CommandResult.Parent; outer is CommandResult { Command: not RootCommand } group; outer = outer.Parent)
        {
            path = $" {group.Command.Name}{path}";
        }

        await Console.Error.WriteLineAsync($"See kip{path} --help.").ConfigureAwait(false);
        return ExitCodes.Usage;
    }
}
