namespace Kip.Tests.Support;

/// <summary>A test against a real control plane; says what is missing when it is skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ControlPlaneFactAttribute : FactAttribute
{
    public ControlPlaneFactAttribute() => Skip = ControlPlane.Missing();
}

/// <summary>As <see cref="ControlPlaneFactAttribute"/>, with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ControlPlaneTheoryAttribute : TheoryAttribute
{
    public ControlPlaneTheoryAttribute() => Skip = ControlPlane.Missing();
}

/// <summary>One complete control plane for a class or a collection of tests: <c>IClassFixture&lt;SharedControlPlane&gt;</c>, or a collection's.</summary>
public class SharedControlPlane : IAsyncLifetime
{
    private ControlPlane? _plane;

    internal ControlPlane Plane => _plane ?? throw new InvalidOperationException(ControlPlane.Missing() ?? "the control plane has not been started");

    /// <summary>Starts nothing where nothing can be started: the tests are skipped then.</summary>
    public async Task InitializeAsync() => _plane = ControlPlane.Missing() is null ? await ControlPlane.StartAsync(apiServerFlags: ApiServerFlags) : null;

    /// <summary>Further flags for kube-apiserver.</summary>
    protected virtual IReadOnlyList<string> ApiServerFlags => [];

    public async Task DisposeAsync()
    {
        if (_plane is not null)
        {
            await _plane.DisposeAsync();
        }
    }
}
