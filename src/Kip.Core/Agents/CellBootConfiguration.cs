using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Agents;

/// <summary>
/// What a new instance is told in its user data, as JSON. It holds no secret that outlives enrolment. The agent reads the same text;
/// unknown members are ignored, so that either side may be newer.
/// </summary>
public sealed record CellBootConfiguration
{
    /// <summary>The cell's name; it becomes the name in the agent's certificate.</summary>
    public required string CellId { get; init; }

    /// <summary>PEM. Only a client certificate that this authority signed may talk to the agent.</summary>
    public required string ControllerCa { get; init; }

    /// <summary>Single-use secret that proves to the controller that the agent it reached is this cell's: 32 bytes, base64.</summary>
    public required string EnrolmentToken { get; init; }

    /// <summary>TCP port to serve on.</summary>
    public int Port { get; init; } = 6421;

    /// <summary>Where the agent can be downloaded, for cell images that do not carry it; null when they do.</summary>
    public Uri? AgentUrl { get; init; }

    /// <summary>SHA-256 of the file at <see cref="AgentUrl"/>, in hexadecimal digits.</summary>
    public string? AgentSha256 { get; init; }

    /// <summary>How the cell reaches registries that need more than a name.</summary>
    public IReadOnlyList<RegistryConfiguration>? Registries { get; init; }

    /// <summary>
    /// Where the cell asks whether the cloud takes it back: a metadata service of EC2's kind (version 2), such as
    /// <c>http://169.254.169.254</c>. Null when it need not ask.
    /// </summary>
    public Uri? InterruptionNotices { get; init; }

    /// <summary>The JSON text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, AgentsJsonContext.Default.CellBootConfiguration);
}

/// <summary>How a cell pulls from one registry.</summary>
public sealed record RegistryConfiguration
{
    /// <summary>Host, or host:port, as it stands in image names; <c>docker.io</c> for Docker Hub.</summary>
    public required string Registry { get; init; }

    /// <summary>Base addresses to try in this order before the registry itself, for example <c>http://10.0.0.5:5000</c>. A plain-http
    /// registry is one whose only mirror is its own <c>http://</c> address.</summary>
    public required IReadOnlyList<Uri> Mirrors { get; init; }

    /// <summary>Accept any certificate from the mirrors. For registries in a laboratory.</summary>
    public bool InsecureSkipVerify { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CellBootConfiguration))]
internal sealed partial class AgentsJsonContext : JsonSerializerContext;
