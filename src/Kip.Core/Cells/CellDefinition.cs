using System.Globalization;
using System.Text;
using System.Text.Json;
using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>The definition of <c>Cell</c> objects, <c>cells.kip.elotl.co</c>: deploy/crd.yaml, which this library carries.</summary>
public static partial class CellDefinition
{
    private const string VersionAnnotation = "kip.elotl.co/definition";
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    private static readonly ResourceType<CustomResourceDefinition> Definitions = new()
    {
        Group = "apiextensions.k8s.io",
        Version = "v1",
        Kind = "CustomResourceDefinition",
        Plural = "customresourcedefinitions",
        Namespaced = false,
        Json = CellsJsonContext.Default.CustomResourceDefinition,
    };

    /// <summary>
    /// Makes the API server know cells: installs the definition when there is none, replaces one that is older, the Go Kip's for one, and
    /// waits until cells can be written. While the API server is away this waits for it. Where definitions may not be read, somebody else
    /// must have installed it.
    /// </summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="time">Measures pauses.</param>
    /// <param name="logger">Told of what is installed, and of troubles.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KubernetesApiException">The definition is needed and may not be made or replaced.</exception>
    public static async Task InstallAsync(IKubernetesClient client, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(logger);
        var wanted = Carried();
        while (!await ApiCalls.PersistAsync(() => TryInstallAsync(client, wanted, logger, cancellationToken), time, p => LogTrouble(logger, p), cancellationToken).ConfigureAwait(false))
        {
            await Task.Delay(LookInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    internal static string CarriedText()
    {
        using var stream = typeof(CellDefinition).Assembly.GetManifestResourceStream("crd.yaml")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static CustomResourceDefinition Carried() =>
        Manifest.Read(CarriedText(), "crd.yaml")[0].Json.Deserialize(CellsJsonContext.Default.CustomResourceDefinition)!;

    /// <summary>Whether cells can be written.</summary>
    private static async Task<bool> TryInstallAsync(IKubernetesClient client, CustomResourceDefinition wanted, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            CustomResourceDefinition? there;
            try
            {
                there = await client.FindAsync(Definitions, new ObjectKey(wanted.Metadata.Name!), cancellationToken).ConfigureAwait(false);
            }
            catch (KubernetesApiException e) when (e.StatusCode == System.Net.HttpStatusCode.Forbidden)
            {
                return await AreServedAsync(client, cancellationToken).ConfigureAwait(false) ? true : throw Missing(e);
            }

            if (there is null)
            {
                await client.CreateAsync(Definitions, Carried(), cancellationToken).ConfigureAwait(false);
                LogInstalled(logger, VersionOf(wanted));
                return false;
            }

            if (VersionOf(there) < VersionOf(wanted))
            {
                there.Spec = wanted.Spec;
                (there.Metadata.Annotations ??= [])[VersionAnnotation] = wanted.Metadata.Annotations![VersionAnnotation];
                await client.ReplaceAsync(Definitions, there, null, cancellationToken).ConfigureAwait(false);
                LogInstalled(logger, VersionOf(wanted));
                return false;
            }

            return IsEstablished(there) && await AreServedAsync(client, cancellationToken).ConfigureAwait(false);
        }
        catch (KubernetesApiException e) when (e.IsConflict || e.IsAlreadyExists)
        {
            return false; // another host does the same
        }
        catch (KubernetesApiException e) when (e.StatusCode == System.Net.HttpStatusCode.Forbidden)
        {
            throw Missing(e);
        }
    }

    // A moment passes between a definition's being established and its objects' being served.
    private static async Task<bool> AreServedAsync(IKubernetesClient client, CancellationToken cancellationToken)
    {
        try
        {
            await client.ListAsync(CellObject.Resource, "", new ListOptions { LabelSelector = $"{CellObject.ControllerLabel}=none" }, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            return false;
        }
    }

    private static KubernetesApiException Missing(KubernetesApiException refusal) => new(
        $"cells.kip.elotl.co is not there or older than this Kip, and this host may not install it (kubectl apply -f deploy/crd.yaml does): {refusal.Message}",
        refusal.StatusCode!.Value,
        refusal.Status);

    private static int VersionOf(CustomResourceDefinition definition) =>
        definition.Metadata.Annotations?.GetValueOrDefault(VersionAnnotation) is { } text
        && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0;

    private static bool IsEstablished(CustomResourceDefinition definition) =>
        definition.Status?.Conditions?.Exists(static c => c.Type == "Established" && c.Status == "True") == true;

    [LoggerMessage(61, LogLevel.Information, "cells.kip.elotl.co is installed in version {Version}")]
    private static partial void LogInstalled(ILogger logger, int version);

    [LoggerMessage(62, LogLevel.Warning, "cells.kip.elotl.co could not be looked after, tried again: {Problem}")]
    private static partial void LogTrouble(ILogger logger, string problem);
}

/// <summary>As much of apiextensions.k8s.io/v1 CustomResourceDefinition as is needed to install one.</summary>
internal sealed class CustomResourceDefinition : ApiObject, IKubernetesObject
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public ObjectMeta Metadata { get; set => field = value ?? new(); } = new();

    public JsonElement? Spec { get; set; }

    public CustomResourceDefinitionStatus? Status { get; set; }
}

internal sealed class CustomResourceDefinitionStatus : ApiObject
{
    public List<CustomResourceDefinitionCondition>? Conditions { get; set; }
}

internal sealed class CustomResourceDefinitionCondition : ApiObject
{
    public string Type { get; set => field = value ?? ""; } = "";

    public string Status { get; set => field = value ?? ""; } = "";
}
