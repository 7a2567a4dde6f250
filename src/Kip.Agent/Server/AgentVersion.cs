using System.Reflection;

namespace Kip.Agent.Server;

/// <summary>The version that the build wrote into the program.</summary>
internal static class AgentVersion
{
    public static string Text { get; } =
        typeof(AgentVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];
}
