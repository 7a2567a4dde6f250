using System.Security.Cryptography;
using Kip.Kubernetes;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Cells;

/// <summary>
/// Cell records as <c>Cell</c> objects of an API server, which hosts on many machines can share. While the API server is away, calls wait
/// for it. A call whose answer was lost is settled by looking whether it took effect.
/// Cancellation ends the waiting and the repetitions, not a write that is under way.
/// </summary>
public sealed partial class KubernetesCellStore : ICellStore
{
    private readonly IKubernetesClient _client;
    private readonly string _controllerId;
    private readonly TimeProvider _time;
    private readonly ILogger<KubernetesCellStore> _logger;

    /// <summary>Makes a store; <see cref="CellDefinition.InstallAsync"/> sees to it that the API server knows cells.</summary>
    /// <param name="client">Calls the API server.</param>
    /// <param name="controllerId">Whose records these are; a label value. Those of other controllers are neither seen nor touched.</param>
    /// <param name="time">Measures pauses.</param>
    /// <param name="logger">Told of calls that have to be repeated.</param>
    /// <exception cref="ArgumentException"><paramref name="controllerId"/> cannot be the value of a label.</exception>
    public KubernetesCellStore(IKubernetesClient client, string controllerId, TimeProvider time, ILogger<KubernetesCellStore> logger)
    {
        ArgumentException.ThrowIfNullOrEmpty(controllerId);
        if (Names.LabelValue(controllerId) is { } problem)
        {
            throw new ArgumentException($"the controller id '{controllerId}' {problem}", nameof(controllerId));
        }

        (_client, _controllerId, _time, _logger) = (client, controllerId, time, logger);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken)
    {
        // No resource version is asked for: the list has every write that was answered before.
        var mine = new ListOptions { LabelSelector = $"{CellObject.ControllerLabel}={_controllerId}" };
        var list = await PersistAsync("list", () => _client.ListAsync(CellObject.Resource, "", mine, cancellationToken), cancellationToken).ConfigureAwait(false);
        return [.. list.Items.Where(static o => o.Record is not null).Select(Read)];
    }

    /// <inheritdoc/>
    public Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var wanted = NewObject(record with { Version = 1, StoreVersion = null });
        return WriteAsync(
            "create",
            wanted,
            () => _client.CreateAsync(CellObject.Resource, wanted, CancellationToken.None),
            static e => e.IsAlreadyExists,
            $"there is a cell {record.Id} already{(record.Pod is { } pod ? $", for pod {pod} ({pod.Uid}) or another" : "")}",
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentException.ThrowIfNullOrEmpty(record.StoreVersion, nameof(record));
        var wanted = NewObject(record with { Version = record.Version + 1 });
        return WriteAsync(
            "update",
            wanted,
            () => _client.ReplaceAsync(CellObject.Resource, wanted, null, CancellationToken.None),
            static e => e.IsConflict || e.IsNotFound,
            $"cell {record.Id} was changed by another since version {record.Version}, or is gone",
            cancellationToken,
            isUnchanged: there =>
            {
                wanted.Metadata.ResourceVersion = there.Metadata.ResourceVersion;
                return there.Write == CellObject.WriteOf(record);
            });
    }

    /// <inheritdoc/>
    public Task DeleteAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentException.ThrowIfNullOrEmpty(record.StoreVersion, nameof(record));
        var version = CellObject.ResourceVersionOf(record);
        return PersistAsync(
            $"delete {record.Id}",
            async () =>
            {
                while (true)
                {
                    try
                    {
                        await _client.DeleteAsync(
                            CellObject.Resource, new ObjectKey(record.Id), new DeleteOptions { ResourceVersion = version }, CancellationToken.None).ConfigureAwait(false);
                        return true;
                    }
                    catch (KubernetesApiException e) when (e.IsNotFound)
                    {
                        return true; // as wanted
                    }
                    catch (KubernetesApiException e) when (e.IsConflict)
                    {
                        var there = await _client.FindAsync(CellObject.Resource, new ObjectKey(record.Id), cancellationToken).ConfigureAwait(false);
                        if (there is not null && there.Write != CellObject.WriteOf(record))
                        {
                            throw new CellConflictException($"cell {record.Id} was changed by another since version {record.Version}");
                        }

                        version = there?.Metadata.ResourceVersion;
                    }
                }
            },
            cancellationToken);
    }

    private static CellRecord Read(CellObject value) => value.Record! with { StoreVersion = value.StoreVersion };

    private CellObject NewObject(CellRecord record) => CellObject.Of(record, _controllerId, RandomNumberGenerator.GetHexString(16, lowercase: true));

    // The precondition (a name, a version) lets one try at most take effect. A refusal may be due to an earlier try whose answer was lost:
    // then what is there is what was wanted. Or to somebody who has put a label or an annotation on the object: the record is as it was then.
    private Task<CellRecord> WriteAsync(
        string verb,
        CellObject wanted,
        Func<Task<CellObject>> write,
        Func<KubernetesApiException, bool> isRefusal,
        string conflict,
        CancellationToken cancellationToken,
        Predicate<CellObject>? isUnchanged = null)
    {
        var key = new ObjectKey(wanted.Metadata.Name!);
        return PersistAsync(
            $"{verb} {key.Name}",
            async () =>
            {
                while (true)
                {
                    try
                    {
                        return Read(await write().ConfigureAwait(false));
                    }
                    catch (KubernetesApiException e) when (isRefusal(e))
                    {
                        var there = await _client.FindAsync(CellObject.Resource, key, cancellationToken).ConfigureAwait(false);
                        if (there?.Write == wanted.Write)
                        {
                            return Read(there!);
                        }

                        if (there is null || isUnchanged?.Invoke(there) != true)
                        {
                            throw new CellConflictException(conflict);
                        }
                    }
                }
            },
            cancellationToken);
    }

    // A write that is under way is not cut off: it might take effect after this process has given its place to another one.
    private Task<T> PersistAsync<T>(string what, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ApiCalls.PersistAsync(call, _time, problem => LogTrouble(what, problem), cancellationToken);
    }

    [LoggerMessage(60, LogLevel.Warning, "Cells: {What} failed, tried again: {Problem}")]
    private partial void LogTrouble(string what, string problem);
}
