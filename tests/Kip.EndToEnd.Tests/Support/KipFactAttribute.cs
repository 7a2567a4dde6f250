namespace Kip.EndToEnd.Tests.Support;

/// <summary>A test that drives the real program on a real containerd; says what is missing when it is skipped.</summary>

[AttributeUsage(AttributeTargets.Method)]
public sealed class KipFactAttribute : FactAttribute
{
    public KipFactAttribute(params string[] tools)
    {
        Tools = tools;
        Skip = BuiltKip.Missing(tools);
    }

    public IReadOnlyList<string> Tools { get; }
}

/// <summary>As <see cref="KipFactAttribute"/>, with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KipTheoryAttribute : TheoryAttribute
{
    public KipTheoryAttribute() => Skip = BuiltKip.Missing();
}
