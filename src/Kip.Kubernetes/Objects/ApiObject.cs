using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Objects;

/// <summary>
/// A Kubernetes object or a part of one. What is null is not written; fields that the API server always
/// writes (such as names) are never null and read as empty when absent.
/// </summary>
public abstract class ApiObject
{
    /// <summary>Fields this version of Kip does not know, kept so that they survive being read and written.</summary>
    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}
