using System.CommandLine;
using System.Runtime.InteropServices;

namespace Kip.Host.Commands;

internal static class VersionCommand
{
    public static Command Create()
    {
        var command = new Command("version", "Print the version");
        command.SetAction(static _ => Console.Out.WriteLine($"kip {KipVersion.Text} ({RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier})"));
        return command;
    }
}
