namespace Kip.Kubernetes;

/// <summary>The family of suffixes a <see cref="Quantity"/> is written with.</summary>
public enum QuantityFormat
{
    /// <summary>Powers of ten by letter: n u m (none) k M G T P E.</summary>
    DecimalSI,

    /// <summary>Powers of 1024: Ki Mi Gi Ti Pi Ei.</summary>
    BinarySI,

    /// <summary>Powers of ten by exponent: e3, e6, e-3.</summary>
    DecimalExponent,
}
