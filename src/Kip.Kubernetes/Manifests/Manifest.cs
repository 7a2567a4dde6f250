using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Kip.Kubernetes;

/// <summary>
/// Reads manifests as kubectl does: YAML or JSON, one or more documents. YAML is kubectl's mix of 1.1 and 1.2, in
/// which plain yes, no, on, off, y and n are booleans and 0644 is octal. Every method throws <see cref="ManifestException"/> when the
/// text cannot be used.
/// </summary>
public static class Manifest
{
    /// <summary>The most bytes of a manifest; what an API server accepts.</summary>
    public const int MaxBytes = 3 * 1024 * 1024;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads every object of a manifest.</summary>
    /// <param name="text">The manifest.</param>
    /// <param name="source">What to call the manifest in messages, such as its path.</param>
    public static IReadOnlyList<ManifestDocument> Read(string text, string source) =>
        ReadMappings(text, source).ConvertAll(mapping => ToDocument(mapping, source));

    /// <summary>Reads every object of a manifest file.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static async Task<IReadOnlyList<ManifestDocument>> ReadAsync(string path, CancellationToken cancellationToken) =>
        Read(await ReadTextAsync(path, cancellationToken), path);

    /// <summary>Reads a manifest that is one pod. Fields nobody knows are kept and named in the warnings.</summary>
    /// <param name="text">The manifest.</param>
    /// <param name="source">What to call the manifest in messages, such as its path.</param>
    public static PodManifest ReadPod(string text, string source)
    {
        var mappings = ReadMappings(text, source);
        if (mappings.Count > 1)
        {
            var second = mappings[1];
            throw new ManifestException(
                source, second.Line, second.Column, $"there are {mappings.Count} documents, a second one starts here; give one Pod");
        }

        var mapping = mappings[0];
        var document = ToDocument(mapping, source);
        Require(mapping, "kind", document.Kind, "Pod", source);
        Require(mapping, "apiVersion", document.ApiVersion, "v1", source);

        var (pod, warnings) = Bind(mapping, KubernetesJsonContext.Default.Pod, source);
        return new PodManifest(pod, warnings);
    }

    /// <summary>Reads a configuration file's text: its first document, of any shape, with the same care for types and unknown fields.</summary>
    /// <param name="text">The configuration.</param>
    /// <param name="source">What to call it in messages, such as its path.</param>
    /// <param name="type">
    /// The shape it must have. When its options say <c>PropertyNameCaseInsensitive</c> the text is taken as Go programs take it: keys in
    /// any case, and numbers and booleans where strings are wanted.
    /// </param>
    public static ConfigurationDocument<T> ReadConfiguration<T>(string text, string source, JsonTypeInfo<T> type)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(type);
        var mapping = ReadMappings(text, source)[0];
        if (type.Options.PropertyNameCaseInsensitive)
        {
            mapping = LenientForm.Of(mapping, type, source);
        }

        var (value, warnings) = Bind(mapping, type, source);
        return new ConfigurationDocument<T>(value, warnings, mapping, source);
    }

    /// <summary>Reads a configuration file: its first document.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static async Task<ConfigurationDocument<T>> ReadConfigurationAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class =>
        ReadConfiguration(await ReadTextAsync(path, cancellationToken), path, type);

    /// <summary>Reads a manifest file that is one pod.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static async Task<PodManifest> ReadPodAsync(string path, CancellationToken cancellationToken) =>
        ReadPod(await ReadTextAsync(path, cancellationToken), path);

    private static (T Value, IReadOnlyList<string> Warnings) Bind<T>(MappingNode mapping, JsonTypeInfo<T> type, string source)
        where T : class
    {
        var warnings = ManifestChecker.Check(mapping, type, source);
        try
        {
            return (KubernetesJson.Deserialize(ToJson(mapping), type), warnings);
        }
        catch (JsonException e)
        {
            throw new ManifestException(source, mapping.Line, mapping.Column, e.Message, e);
        }
    }

    private static async Task<string> ReadTextAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1, useAsync: true);
        var bytes = new ArrayBufferWriter<byte>();
        int read;
        while ((read = await file.ReadAsync(bytes.GetMemory(64 * 1024), cancellationToken)) > 0)
        {
            bytes.Advance(read);
            if (bytes.WrittenCount > MaxBytes)
            {
                throw TooLarge(path);
            }
        }

        try
        {
            return StrictUtf8.GetString(bytes.WrittenSpan);
        }
        catch (DecoderFallbackException e)
        {
            throw new ManifestException(path, 1, 1, $"not UTF-8 text: {e.Message}", e);
        }
    }

    private static List<MappingNode> ReadMappings(string text, string source)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(source);
        if (text.Length > MaxBytes)
        {
            throw TooLarge(source);
        }

        var roots = YamlComposer.Compose(text.StartsWith('\uFEFF') ? text[1..] : text, source);
        if (roots.Count == 0)
        {
            throw new ManifestException(source, 1, 1, "the manifest is empty");
        }

        return roots.ConvertAll(root => root as MappingNode ?? throw new ManifestException(
            source, root.Line, root.Column, $"expected a Kubernetes object, found {root.Describe()}"));
    }

    private static ManifestDocument ToDocument(MappingNode mapping, string source)
    {
        var apiVersion = RequiredText(mapping, "apiVersion", source);
        var kind = RequiredText(mapping, "kind", source);
        var reader = new Utf8JsonReader(ToJson(mapping));
        return new ManifestDocument(apiVersion, kind, JsonElement.ParseValue(ref reader), mapping.Line);
    }

    private static string RequiredText(MappingNode mapping, string key, string source) => mapping.Find(key)?.Value switch
    {
        ScalarNode { Kind: ScalarKind.String, Text.Length: > 0 } scalar => scalar.Text,
        null => throw new ManifestException(source, mapping.Line, mapping.Column, $"there is no {key}"),
        var other => throw new ManifestException(source, other.Line, other.Column, $"{key}: expected a string, found {other.Describe()}"),
    };

    private static void Require(MappingNode mapping, string key, string value, string wanted, string source)
    {
        if (value != wanted)
        {
            var at = mapping.Find(key)!.Value;
            throw new ManifestException(
                source, at.Line, at.Column, $"{key} is {value}; give {(key == "kind" ? "a " : "")}{wanted}");
        }
    }

    private static byte[] ToJson(MappingNode mapping)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            mapping.WriteTo(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static ManifestException TooLarge(string source) =>
        new(source, 1, 1, $"the manifest is larger than {MaxBytes / 1024 / 1024} MiB");
}
