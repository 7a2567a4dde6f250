using System.Text.Json;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>One object of a manifest.</summary>
/// <param name="ApiVersion">The API group and version, such as <c>apps/v1</c>.</param>
/// <param name="Kind">The kind, such as <c>Deployment</c>.</param>
/// <param name="Json">The whole object.</param>
/// <param name="Line">The line the object starts at, from 1.</param>
public sealed record ManifestDocument(string ApiVersion, string Kind, JsonElement Json, int Line);

/// <summary>A pod read from a manifest.</summary>
/// <param name="Pod">The pod as it was written, without defaults.</param>
/// <param name="Warnings">Unknown fields, as <c>source:line: unknown field "path"</c>.</param>
public sealed record PodManifest(Pod Pod, IReadOnlyList<string> Warnings);
