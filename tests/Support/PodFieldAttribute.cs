namespace Kip.Tests.Support;

/// <summary>
/// Names the fields of a pod that a test proves, as <c>docs/pod-support.md</c> lists them. They are lines of <c>pod-fields.txt</c> beside this file;
/// after a change <c>eng/pod-support</c> writes the page anew. A field that the agent refuses is named by a line of <c>UnsupportedFieldsTests</c> instead,
/// and a sample pod names its fields under <c>proves:</c> of its <c>.expect.yaml</c>.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
internal sealed class PodFieldAttribute(params string[] fields) : Attribute
{
    public IReadOnlyList<string> Fields { get; } = fields;
}
