using Kip.Kubernetes.Objects;
using Json = Kip.Kubernetes.KubernetesJsonContext;

namespace Kip.Kubernetes.Client;

/// <summary>The resources that Kip uses, each in a version that every API server from 1.20 on serves.</summary>
public static class Resources
{
    /// <summary>Pods.</summary>
    public static ResourceType<Pod> Pods { get; } = new()
    {
        Version = "v1", Kind = "Pod", Plural = "pods", Namespaced = true, Json = Json.Default.Pod, ListJson = Json.Default.PodList,
    };

    /// <summary>Nodes.</summary>
    public static ResourceType<Node> Nodes { get; } = new()
    {
        Version = "v1", Kind = "Node", Plural = "nodes", Namespaced = false,
        Json = Json.Default.Node, ListJson = Json.Default.NodeList,
    };

    /// <summary>Leases.</summary>
    public static ResourceType<Lease> Leases { get; } = new()
    {
        Group = "coordination.k8s.io", Version = "v1", Kind = "Lease", Plural = "leases", Namespaced = true,
        Json = Json.Default.Lease, ListJson = Json.Default.LeaseList,
    };

    /// <summary>Events of the core group.</summary>
    public static ResourceType<KubernetesEvent> Events { get; } = new()
    {
        Version = "v1", Kind = "Event", Plural = "events", Namespaced = true,
        Json = Json.Default.KubernetesEvent, ListJson = Json.Default.EventList,
    };

    /// <summary>Secrets.</summary>
    public static ResourceType<Secret> Secrets { get; } = new()
    {
        Version = "v1", Kind = "Secret", Plural = "secrets", Namespaced = true,
        Json = Json.Default.Secret, ListJson = Json.Default.SecretList,
    };

    /// <summary>Config maps.</summary>
    public static ResourceType<ConfigMap> ConfigMaps { get; } = new()
    {
        Version = "v1", Kind = "ConfigMap", Plural = "configmaps", Namespaced = true,
        Json = Json.Default.ConfigMap, ListJson = Json.Default.ConfigMapList,
    };

    /// <summary>Services.</summary>
    public static ResourceType<Service> Services { get; } = new()
    {
        Version = "v1", Kind = "Service", Plural = "services", Namespaced = true,
        Json = Json.Default.Service, ListJson = Json.Default.ServiceList,
    };

    /// <summary>Endpoints of services.</summary>
    public static ResourceType<Objects.Endpoints> Endpoints { get; } = new()
    {
        Version = "v1", Kind = "Endpoints", Plural = "endpoints", Namespaced = true,
        Json = Json.Default.Endpoints, ListJson = Json.Default.EndpointsList,
    };

    /// <summary>Runtime classes.</summary>
    public static ResourceType<RuntimeClass> RuntimeClasses { get; } = new()
    {
        Group = "node.k8s.io", Version = "v1", Kind = "RuntimeClass", Plural = "runtimeclasses", Namespaced = false,
        Json = Json.Default.RuntimeClass, ListJson = Json.Default.RuntimeClassList,
    };

    /// <summary>Service accounts.</summary>
    public static ResourceType<ServiceAccount> ServiceAccounts { get; } = new()
    {
        Version = "v1", Kind = "ServiceAccount", Plural = "serviceaccounts", Namespaced = true,
        Json = Json.Default.ServiceAccount, ListJson = Json.Default.ServiceAccountList,
    };

    /// <summary>Persistent volumes.</summary>
    public static ResourceType<PersistentVolume> PersistentVolumes { get; } = new()
    {
        Version = "v1", Kind = "PersistentVolume", Plural = "persistentvolumes", Namespaced = false,
        Json = Json.Default.PersistentVolume, ListJson = Json.Default.PersistentVolumeList,
    };

    /// <summary>Claims of persistent volumes.</summary>
    public static ResourceType<PersistentVolumeClaim> PersistentVolumeClaims { get; } = new()
    {
        Version = "v1", Kind = "PersistentVolumeClaim", Plural = "persistentvolumeclaims", Namespaced = true,
        Json = Json.Default.PersistentVolumeClaim, ListJson = Json.Default.PersistentVolumeClaimList,
    };

    /// <summary>Namespaces.</summary>
    public static ResourceType<Namespace> Namespaces { get; } = new()
    {
        Version = "v1", Kind = "Namespace", Plural = "namespaces", Namespaced = false,
        Json = Json.Default.Namespace, ListJson = Json.Default.NamespaceList,
    };

    /// <summary>Requests for certificates.</summary>
    public static ResourceType<CertificateSigningRequest> CertificateSigningRequests { get; } = new()
    {
        Group = "certificates.k8s.io", Version = "v1", Kind = "CertificateSigningRequest", Plural = "certificatesigningrequests", Namespaced = false,
        Json = Json.Default.CertificateSigningRequest, ListJson = Json.Default.CertificateSigningRequestList,
    };

    /// <summary>Questions whose a token is; can only be created.</summary>
    public static ResourceType<TokenReview> TokenReviews { get; } = new()
    {
        Group = "authentication.k8s.io", Version = "v1", Kind = "TokenReview", Plural = "tokenreviews", Namespaced = false,
        Json = Json.Default.TokenReview,
    };

    /// <summary>Questions whether somebody may do something; can only be created.</summary>
    public static ResourceType<SubjectAccessReview> SubjectAccessReviews { get; } = new()
    {
        Group = "authorization.k8s.io", Version = "v1", Kind = "SubjectAccessReview", Plural = "subjectaccessreviews", Namespaced = false,
        Json = Json.Default.SubjectAccessReview,
    };

    /// <summary>The token of a service account; can only be created.</summary>
    public static Subresource<TokenRequest> Token { get; } = new()
    {
        Name = "token", ApiVersion = "authentication.k8s.io/v1", Kind = "TokenRequest", Json = Json.Default.TokenRequest,
    };
}
