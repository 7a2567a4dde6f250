namespace Kip.Kubernetes.Objects;

/// <summary>An environment variable.</summary>
public sealed class EnvVar : ApiObject
{
    /// <summary>The variable's name.</summary>
    public string Name { get; set => field = value ?? ""; } = "";

    /// <summary>The value; <c>$(VAR)</c> refers to earlier variables.</summary>
    public string? Value { get; set; }

    /// <summary>Where the value comes from when it is not given here.</summary>
    public EnvVarSource? ValueFrom { get; set; }
}

/// <summary>Where an environment variable's value comes from; exactly one is set.</summary>
public sealed class EnvVarSource : ApiObject
{
    /// <summary>A field of the pod.</summary>
    public ObjectFieldSelector? FieldRef { get; set; }

    /// <summary>A resource limit or request of a container.</summary>
    public ResourceFieldSelector? ResourceFieldRef { get; set; }

    /// <summary>A key of a config map.</summary>
    public KeySelector? ConfigMapKeyRef { get; set; }

    /// <summary>A key of a secret.</summary>
    public KeySelector? SecretKeyRef { get; set; }

    /// <summary>A key of an environment file in a volume.</summary>
    public FileKeySelector? FileKeyRef { get; set; }
}

/// <summary>Names a field of the pod.</summary>
public sealed class ObjectFieldSelector : ApiObject
{
    /// <summary>The version the path is written for; v1 when absent.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The path, such as <c>metadata.name</c>.</summary>
    public string FieldPath { get; set => field = value ?? ""; } = "";
}

/// <summary>Names a resource of a container.</summary>
public sealed class ResourceFieldSelector : ApiObject
{
    /// <summary>The container; the own one when absent (environment only).</summary>
    public string? ContainerName { get; set; }

    /// <summary>The resource, such as <c>limits.cpu</c>.</summary>
    public string Resource { get; set => field = value ?? ""; } = "";

    /// <summary>The unit the value is given in; 1 when absent.</summary>
    public Quantity? Divisor { get; set; }
}

/// <summary>Names a key of a config map or secret.</summary>
public sealed class KeySelector : ApiObject
{
    /// <summary>The config map's or secret's name.</summary>
    public string? Name { get; set; }

    /// <summary>The key.</summary>
    public string Key { get; set => field = value ?? ""; } = "";

    /// <summary>Whether it may be missing.</summary>
    public bool? Optional { get; set; }
}

/// <summary>Names a key of an environment file in a volume.</summary>
public sealed class FileKeySelector : ApiObject
{
    /// <summary>The volume.</summary>
    public string VolumeName { get; set => field = value ?? ""; } = "";

    /// <summary>The file's path in the volume.</summary>
    public string Path { get; set => field = value ?? ""; } = "";

    /// <summary>The key.</summary>
    public string Key { get; set => field = value ?? ""; } = "";

    /// <summary>Whether it may be missing.</summary>
    public bool? Optional { get; set; }
}

/// <summary>A config map or secret whose keys become environment variables.</summary>
public sealed class EnvFromSource : ApiObject
{
    /// <summary>Put before each key.</summary>
    public string? Prefix { get; set; }

    /// <summary>The config map.</summary>
    public OptionalObjectReference? ConfigMapRef { get; set; }

    /// <summary>The secret.</summary>
    public OptionalObjectReference? SecretRef { get; set; }
}

/// <summary>Names a config map or secret that may be missing.</summary>
public sealed class OptionalObjectReference : ApiObject
{
    /// <summary>The object's name.</summary>
    public string? Name { get; set; }

    /// <summary>Whether it may be missing.</summary>
    public bool? Optional { get; set; }
}
