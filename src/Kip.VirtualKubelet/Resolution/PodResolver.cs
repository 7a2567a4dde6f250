using System.Collections.Concurrent;
using Kip.Agents;
using Kip.Cells;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Pods;
using Microsoft.Extensions.Logging;

namespace Kip.VirtualKubelet.Resolution;

/// <summary>
/// Turns a pod into what its cell is given: environments without references to other objects, volumes as files, tokens and registry logins.
/// It remembers what each pod needs, and says when a pod should be resolved anew because some of that has changed or a token grows old.
/// </summary>
internal sealed class PodResolver : IPodResolver, IDisposable
{
    private readonly IObjectSource _source;
    private readonly ClusterDns _dns;
    private readonly PodEvents _events;
    private readonly TimeProvider _time;
    private readonly ILogger<PodResolver> _logger;
    private readonly PodDependencies _dependencies;
    private readonly ConcurrentDictionary<ObjectKey, Entry> _entries = new();

    public PodResolver(IObjectSource source, ClusterDns dns, PodEvents events, TimeProvider time, ILogger<PodResolver> logger)
    {
        (_source, _dns, _events, _time, _logger) = (source, dns, events, time, logger);
        _dependencies = new PodDependencies(source);
        source.Changed += OnChanged;
    }

    public event Action<ObjectKey>? Changed;

    /// <summary>One call at a time for each name of a pod.</summary>
    /// <exception cref="PodResolutionException">Something it needs is not there, or is not right. It may come; <see cref="Changed"/> tells.</exception>
    /// <exception cref="Kubernetes.Client.KubernetesApiException">The API server does not give what the pod needs.</exception>
    public async Task<PodAssignment> ResolveAsync(Pod pod, CancellationToken cancellationToken)
    {
        var key = ObjectKey.Of(pod);
        var entry = EntryOf(key, pod);
        // First: what changes from here on is not in what is read now.
        entry.IsStale = false;
        try
        {
            var objects = await ReadAsync(key, pod, cancellationToken).ConfigureAwait(false);
            var resolved = pod.CopyWithOwnSpec();
            foreach (var container in PodReferences.ContainersOf(resolved.Spec))
            {
                EnvironmentResolver.Resolve(pod, container, objects, _events);
            }

            _dns.Apply(resolved.Spec, key.Namespace);
            var tokens = await GetTokensAsync(entry, pod, cancellationToken).ConfigureAwait(false);
            var volumes = (pod.Spec.Volumes ?? [])
                .Select(volume => VolumeResolver.Resolve(pod, volume, objects, projection => tokens[projection])).OfType<ResolvedVolume>().ToList();
            CheckSize(resolved, volumes);
            return new PodAssignment(resolved, PodAddress: null, Credentials(pod, objects))
            {
                Volumes = volumes,
                RuntimeHandler = RuntimeHandler(pod, objects),
                PersistentVolumes = [.. (pod.Spec.Volumes ?? []).Select(volume => ClaimResolver.Resolve(pod, volume, objects)).OfType<PodPersistentVolume>()],
            };
        }
        catch
        {
            entry.IsStale = true;
            throw;
        }
    }

    public bool IsStale(Pod pod) => !_entries.TryGetValue(ObjectKey.Of(pod), out var entry) || entry.Uid != pod.Metadata.Uid || entry.IsStale;

    public void Forget(ObjectKey pod)
    {
        if (_entries.TryRemove(pod, out var entry))
        {
            entry.Refresh?.Dispose();
        }

        _dependencies.Remove(pod);
    }

    public void Dispose()
    {
        _source.Changed -= OnChanged;
        foreach (var pod in _entries.Keys.ToList())
        {
            Forget(pod);
        }
    }

    private static string? RuntimeHandler(Pod pod, ObjectSet objects) => pod.Spec.RuntimeClassName is not { Length: > 0 } name ? null
        : objects.RuntimeClass(name)?.Handler ?? throw new PodResolutionException("FailedCreatePodSandBox", $"RuntimeClass \"{name}\" not found");

    private static void CheckSize(Pod resolved, List<ResolvedVolume> volumes)
    {
        var bytes = volumes.Sum(static volume => volume.Files.Sum(static file => (long)file.Data.Length + file.Path.Length))
            + PodReferences.ContainersOf(resolved.Spec).Sum(static container => (container.Env ?? []).Sum(static each => (long)(each.Value?.Length ?? 0)));
        // The rest of the message is small beside the margin.
        if (bytes > PodAssignment.MaximumBytes - (2 << 20))
        {
            throw new PodResolutionException(
                "TooLarge", $"the pod's volumes and environments have {bytes >> 20} MiB; a cell takes {PodAssignment.MaximumBytes >> 20} MiB in all");
        }
    }

    private Entry EntryOf(ObjectKey key, Pod pod)
    {
        if (_entries.TryGetValue(key, out var entry) && entry.Uid == pod.Metadata.Uid)
        {
            return entry;
        }

        // A pod made anew under the same name is another pod, with other tokens.
        entry?.Refresh?.Dispose();
        var made = new Entry(pod.Metadata.Uid!, new ServiceAccountTokens(_source, _time, _logger));
        made.Refresh = _time.CreateTimer(_ => Outdate(key, made), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _entries[key] = made;
        return made;
    }

    private void Outdate(ObjectKey key, Entry entry)
    {
        entry.IsStale = true;
        Changed?.Invoke(key);
    }

    private void OnChanged(ObjectId id)
    {
        foreach (var pod in _dependencies.DependentsOf(id))
        {
            if (_entries.TryGetValue(pod, out var entry))
            {
                Outdate(pod, entry);
            }
        }
    }

    private async Task<ObjectSet> ReadAsync(ObjectKey key, Pod pod, CancellationToken cancellationToken)
    {
        var needed = PodReferences.Of(pod);
        _dependencies.Add(key, needed);
        var account = new ObjectId(ObjectKind.ServiceAccount, key.Namespace, PodReferences.ServiceAccountOf(pod));
        var found = await ReadAllAsync(needed, cancellationToken).ConfigureAwait(false);
        // What the service account names is known only now.
        var secrets = PullCredentials.Names(pod, found[account].OfType<ServiceAccount>().FirstOrDefault())
            .Select(name => new ObjectId(ObjectKind.Secret, key.Namespace, name));
        // And what claims are bound to.
        var volumes = found.Values.SelectMany(static each => each).OfType<PersistentVolumeClaim>()
            .Where(static claim => claim.Spec.VolumeName is { Length: > 0 }).Select(static claim => new ObjectId(ObjectKind.PersistentVolume, "", claim.Spec.VolumeName!));
        var named = secrets.Concat(volumes).Where(id => !needed.Contains(id)).ToHashSet();
        needed.UnionWith(named);
        _dependencies.Set(key, needed);
        foreach (var (id, objects) in await ReadAllAsync(named, cancellationToken).ConfigureAwait(false))
        {
            found[id] = objects;
        }

        return new ObjectSet(key.Namespace, found);
    }

    private async Task<Dictionary<ObjectId, IReadOnlyList<IKubernetesObject>>> ReadAllAsync(
        IEnumerable<ObjectId> ids, CancellationToken cancellationToken)
    {
        var read = await Task.WhenAll(ids.Select(async id => (Id: id, Objects: await _source.ReadAsync(id, cancellationToken).ConfigureAwait(false))))
            .ConfigureAwait(false);
        return read.ToDictionary(static each => each.Id, static each => each.Objects);
    }

    private async Task<Dictionary<ServiceAccountTokenProjection, string>> GetTokensAsync(Entry entry, Pod pod, CancellationToken cancellationToken)
    {
        var tokens = new Dictionary<ServiceAccountTokenProjection, string>(ReferenceEqualityComparer.Instance);
        foreach (var projection in (pod.Spec.Volumes ?? []).SelectMany(static volume => volume.Projected?.Sources ?? [])
            .Select(static source => source.ServiceAccountToken).OfType<ServiceAccountTokenProjection>())
        {
            tokens[projection] = await entry.Tokens.GetAsync(pod, projection, cancellationToken).ConfigureAwait(false);
        }

        if (entry.Tokens.RefreshAt is { } refresh)
        {
            var due = refresh - _time.GetUtcNow();
            entry.Refresh?.Change(due > TimeSpan.Zero ? due : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }

        return tokens;
    }

    private IReadOnlyList<RegistryCredential> Credentials(Pod pod, ObjectSet objects)
    {
        var names = PullCredentials.Names(pod, objects.ServiceAccount(PodReferences.ServiceAccountOf(pod)));
        var (credentials, problems) = PullCredentials.Of(names, objects);
        if (problems.Count > 0)
        {
            _events.Warning(
                new PodReference(objects.Namespace, pod.Metadata.Name!, pod.Metadata.Uid!),
                "FailedToRetrieveImagePullSecret",
                $"Unable to retrieve some image pull secrets ({string.Join("; ", problems)}); attempting to pull the image may not succeed.");
        }

        return credentials;
    }

    /// <summary>A pod of which somebody wanted to know.</summary>
    private sealed class Entry(string uid, ServiceAccountTokens tokens)
    {
        private volatile bool _isStale = true;

        public string Uid { get; } = uid;

        public ServiceAccountTokens Tokens { get; } = tokens;

        /// <summary>Fires when a token grows old.</summary>
        public ITimer? Refresh { get; set; }

        public bool IsStale
        {
            get => _isStale;
            set => _isStale = value;
        }
    }
}
