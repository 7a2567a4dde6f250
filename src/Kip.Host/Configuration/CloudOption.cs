using System.CommandLine;

namespace Kip.Host.Configuration;

/// <summary>Which cloud a command is about that works without a cluster.</summary>
internal static class CloudOption
{
    public const string Local = "local";
    public const string Aws = "aws";

    /// <param name="description">What the command does there.</param>
    public static Option<string> Create(string description)
    {
        var option = new Option<string>("--cloud") { Description = description, DefaultValueFactory = static _ => Local };
        option.AcceptOnlyFromAmong(Local, Aws);
        return option;
    }
}
