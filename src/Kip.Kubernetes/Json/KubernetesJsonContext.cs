using System.Text.Json.Serialization;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes;

/// <summary>How the Kubernetes objects are read from and written to JSON, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(Rfc3339Converter)])]
[JsonSerializable(typeof(KubernetesList<Pod>), TypeInfoPropertyName = "PodList")]
[JsonSerializable(typeof(KubernetesList<Node>), TypeInfoPropertyName = "NodeList")]
[JsonSerializable(typeof(KubernetesList<Lease>), TypeInfoPropertyName = "LeaseList")]
[JsonSerializable(typeof(KubernetesList<KubernetesEvent>), TypeInfoPropertyName = "EventList")]
[JsonSerializable(typeof(KubernetesList<Secret>), TypeInfoPropertyName = "SecretList")]
[JsonSerializable(typeof(KubernetesList<ConfigMap>), TypeInfoPropertyName = "ConfigMapList")]
[JsonSerializable(typeof(KubernetesList<Service>), TypeInfoPropertyName = "ServiceList")]
[JsonSerializable(typeof(KubernetesList<Endpoints>), TypeInfoPropertyName = "EndpointsList")]
[JsonSerializable(typeof(KubernetesList<ServiceAccount>), TypeInfoPropertyName = "ServiceAccountList")]
[JsonSerializable(typeof(KubernetesList<PersistentVolume>), TypeInfoPropertyName = "PersistentVolumeList")]
[JsonSerializable(typeof(KubernetesList<PersistentVolumeClaim>), TypeInfoPropertyName = "PersistentVolumeClaimList")]
[JsonSerializable(typeof(KubernetesList<RuntimeClass>), TypeInfoPropertyName = "RuntimeClassList")]
[JsonSerializable(typeof(KubernetesList<Namespace>), TypeInfoPropertyName = "NamespaceList")]
[JsonSerializable(typeof(KubernetesList<CertificateSigningRequest>), TypeInfoPropertyName = "CertificateSigningRequestList")]
[JsonSerializable(typeof(TokenReview))]
[JsonSerializable(typeof(SubjectAccessReview))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(ApiStatus))]
public sealed partial class KubernetesJsonContext : JsonSerializerContext;
