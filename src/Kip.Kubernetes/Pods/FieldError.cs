namespace Kip.Kubernetes;

/// <summary>What is wrong with one field, in the words of the API server.</summary>
/// <param name="Field">The field's path, such as <c>spec.containers[0].image</c>.</param>
/// <param name="Message">What is wrong, such as <c>Required value</c>.</param>
public sealed record FieldError(string Field, string Message)
{
    /// <summary>Both, as <c>field: message</c>.</summary>
    public override string ToString() => $"{Field}: {Message}";
}
