using System.CommandLine;
using Kip.Host.Commands;
using Kip.Host.Configuration;

var root = new RootCommand("Kip gives every pod a machine of its own: a right-sized cell, booted for the pod and terminated after it.")
{
    RunCommand.Create(),
    NodeCommand.Create(),
    ExplainCommand.Create(),
    CatalogCommand.Create(),
    GetCommand.Create(),
    DeleteCommand.Create(),
    DoctorCommand.Create(),
    ValidateConfigCommand.Create(),
    ProvidersCommand.Create(),
    VersionCommand.Create(),
};

try
{
    // Signals are the commands' own business: the first Ctrl-C must not end the process under a running pod.
    var parsed = root.Parse(GoFlag.NameCommand(args));
    return await UsageErrors.ReportAsync(parsed) ?? await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
}
catch (HostException e)
{
    await Console.Error.WriteLineAsync($"kip: {e.Message}");
    return e.ExitCode;
}
