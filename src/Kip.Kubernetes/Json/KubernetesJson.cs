using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>
/// Reads and writes Kubernetes objects as UTF-8 JSON. Every reading method throws <see cref="JsonException"/>
/// when the text is not JSON, is <c>null</c>, or a field has the wrong type.
/// </summary>
public static class KubernetesJson
{
    /// <summary>Writes a pod.</summary>
    public static byte[] SerializeToUtf8(Pod pod) => SerializeToUtf8(pod, KubernetesJsonContext.Default.Pod);

    /// <summary>Writes a pod's status.</summary>
    public static byte[] SerializeToUtf8(PodStatus status) => SerializeToUtf8(status, KubernetesJsonContext.Default.PodStatus);

    /// <summary>Writes an event.</summary>
    public static byte[] SerializeToUtf8(KubernetesEvent @event) =>
        SerializeToUtf8(@event, KubernetesJsonContext.Default.KubernetesEvent);

    /// <summary>Writes any object that <see cref="KubernetesJsonContext"/> or another source-generated context knows.</summary>
    public static byte[] SerializeToUtf8<T>(T value, JsonTypeInfo<T> type)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(value);
        return JsonSerializer.SerializeToUtf8Bytes(value, type);
    }

    /// <summary>Reads a pod.</summary>
    public static Pod DeserializePod(ReadOnlySpan<byte> json) => Deserialize(json, KubernetesJsonContext.Default.Pod);

    /// <summary>Reads a pod's status.</summary>
    public static PodStatus DeserializePodStatus(ReadOnlySpan<byte> json) =>
        Deserialize(json, KubernetesJsonContext.Default.PodStatus);

    /// <summary>Reads an event.</summary>
    public static KubernetesEvent DeserializeEvent(ReadOnlySpan<byte> json) =>
        Deserialize(json, KubernetesJsonContext.Default.KubernetesEvent);

    /// <summary>Reads any object that <see cref="KubernetesJsonContext"/> or another source-generated context knows.</summary>
    public static T Deserialize<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
        where T : class =>
        JsonSerializer.Deserialize(json, type) ?? throw new JsonException("expected an object, found null");

    /// <summary>Makes a copy that shares nothing with the original.</summary>
    public static Pod Clone(Pod pod) => DeserializePod(SerializeToUtf8(pod));

    /// <summary>Makes a copy that shares nothing with the original.</summary>
    public static PodStatus Clone(PodStatus status) => DeserializePodStatus(SerializeToUtf8(status));
}
