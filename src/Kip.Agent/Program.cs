using Kip.Agent;
using Kip.Agent.CommandLine;
using Kip.Agent.Enrolment;
using Kip.Agent.Server;

if (args is ["--version"])
{
    Console.WriteLine(AgentVersion.Text);
    return 0;
}

if (args is ["--help"] or ["-h"])
{
    Console.WriteLine(AgentOptions.Usage);
    return 0;
}

SystemTrust.Forget();
try
{
    var options = AgentOptions.Parse(args);
    await using var agent = new AgentHost(options, UserData.Read(options.UserData), TimeProvider.System, Console.Error);
    await agent.RunAsync(CancellationToken.None);
    return 0;
}
catch (UsageException e)
{
    await Console.Error.WriteLineAsync($"kip-agent: {e.Message}");
    return 2;
}
catch (IOException e)
{
    // The port is taken, or the state directory cannot be written.
    await Console.Error.WriteLineAsync($"kip-agent: {e.Message}");
    return 1;
}
