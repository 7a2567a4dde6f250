namespace Kip.Agent.Tests.Support;

/// <summary>As <see cref="ContainerdFactAttribute"/>, for theories.</summary>
public sealed class ContainerdTheoryAttribute : TheoryAttribute
{
    public ContainerdTheoryAttribute() => Skip = new ContainerdFactAttribute().Skip;
}
