using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Tests;

/// <summary>A test that makes real cells: it needs root and the tools, and says which are missing when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = MissingForCells();

    internal static string? MissingForCells()
    {
        var missing = Tools.Needed.Select(needed => needed.Program).Append("busybox").Append("ctr").Where(program => Tools.Find(program) is null).ToList();
        return !Environment.IsPrivilegedProcess ? "cells need root"
            : missing.Count > 0 ? "not installed: " + string.Join(", ", missing)
            : Tools.FindCniPlugins() is null ? "not installed: containernetworking-plugins"
            : null;
    }
}

/// <summary>As <see cref="RootFactAttribute"/>, for many cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute() => Skip = RootFactAttribute.MissingForCells();
}

/// <summary>As <see cref="RootFactAttribute"/>, and it needs the real agent.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AgentFactAttribute : FactAttribute
{
    public AgentFactAttribute() => Skip = RootFactAttribute.MissingForCells()
        ?? (TestMachine.RealAgent() is null ? "no agent: run ./test, or set KIP_AGENT to a kip-agent" : null);
}
