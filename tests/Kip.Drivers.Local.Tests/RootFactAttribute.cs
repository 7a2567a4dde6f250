using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Tests;

/// <summary>A test that makes real cells: it needs root and the tools, and says which are missing when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute()
    {
        var missing = Tools.Needed.Select(needed => needed.Program).Append("busybox").Append("ctr").Where(program => Tools.Find(program) is null).ToList();
        Skip = !Environment.IsPrivilegedProcess ? "cells need root"
            : missing.Count > 0 ? "not installed: " + string.Join(", ", missing)
            : Tools.FindCniPlugins() is null ? "not installed: containernetworking-plugins"
            : null;
    }
}
