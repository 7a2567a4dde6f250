using System.Globalization;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Resolution;

namespace Kip.VirtualKubelet.Tests.Resolution;

/// <summary>A cluster's objects in memory.</summary>
internal sealed class FakeObjects(TimeProvider time) : IObjectSource
{
    private readonly Dictionary<ObjectId, IKubernetesObject> _objects = [];
    private readonly List<ObjectId> _followed = [];

    public event Action<ObjectId>? Changed;

    /// <summary>What is followed, once for each time.</summary>
    public IReadOnlyList<ObjectId> Followed => _followed;

    /// <summary>The tokens that were asked for.</summary>
    public List<(ObjectKey Account, TokenRequestSpec Spec)> TokenRequests { get; } = [];

    public TimeSpan TokenLife { get; set; } = TimeSpan.FromHours(1);

    public KubernetesApiException? TokenError { get; set; }

    public void Put(IKubernetesObject value)
    {
        var id = IdOf(value);
        _objects[id] = value;
        if (_followed.Contains(id))
        {
            Changed?.Invoke(id);
        }
    }

    public void Follow(ObjectId id) => _followed.Add(id);

    public void Release(ObjectId id) => Assert.True(_followed.Remove(id), $"{id} is released but not followed");

    public ValueTask<IReadOnlyList<IKubernetesObject>> ReadAsync(ObjectId id, CancellationToken cancellationToken)
    {
        Assert.Contains(id, _followed);
        return new([.. _objects.Where(each => id.Name.Length > 0 ? each.Key == id : (each.Key.Kind, each.Key.Namespace) == (id.Kind, id.Namespace)).Select(each => each.Value)]);
    }

    public Task<TokenRequestStatus> CreateTokenAsync(ObjectKey serviceAccount, TokenRequestSpec spec, CancellationToken cancellationToken)
    {
        if (TokenError is not null)
        {
            throw TokenError;
        }

        TokenRequests.Add((serviceAccount, spec));
        return Task.FromResult(new TokenRequestStatus
        {
            Token = string.Create(CultureInfo.InvariantCulture, $"token-{TokenRequests.Count}"), ExpirationTimestamp = time.GetUtcNow() + TokenLife,
        });
    }

    private static ObjectId IdOf(IKubernetesObject value) => new(
        value switch
        {
            ConfigMap => ObjectKind.ConfigMap,
            Secret => ObjectKind.Secret,
            ServiceAccount => ObjectKind.ServiceAccount,
            PersistentVolumeClaim => ObjectKind.PersistentVolumeClaim,
            PersistentVolume => ObjectKind.PersistentVolume,
            RuntimeClass => ObjectKind.RuntimeClass,
            _ => ObjectKind.Service,
        },
        value.Metadata.Namespace ?? "",
        value.Metadata.Name!);
}
