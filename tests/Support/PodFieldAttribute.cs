namespace Kip.Tests.Support;

/// <summary>
/// Names the fields of a pod that a test proves, as <c>docs/pod-support.md</c> lists them. They are lines of <c>pod-fields.txt</c> beside this file;
/// after a change <c>eng/pod-support</c> writes the page anew. The data of <c>UnsupportedFieldsTests</c> names the fields that the agent refuses by itself,
/// and a sample pod names its fields under <c>proves:</c> of its <c>.expect.yaml</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class PodFieldAttribute(params string[] fields) : Attribute
{
    public IReadOnlyList<string> Fields { get; } = fields;

    /// <summary>What the test proves is that such a pod does not run and is told why.</summary>
    public bool Refused { get; init; }
}
