namespace Kip.Agent.Tests.Support;

/// <summary>A test that changes owners of files, which only root may.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Environment.UserName == "root" ? null : "not root";
}
