namespace Kip.Drivers;

/// <summary>Why a cloud call failed, in the terms Kip acts on.</summary>
public enum DriverErrorKind
{
    /// <summary>Worth repeating as it is: time-out, 5xx, connection lost. The call may have taken effect.</summary>
    Transient = 0,

    /// <summary>The zone has no such machine now: take another type or zone.</summary>
    OutOfCapacity,

    /// <summary>An account limit: take another type, region or capacity type, or raise the limit.</summary>
    Quota,

    /// <summary>Too many calls: repeat later, slower.</summary>
    Throttled,

    /// <summary>The type, zone or option is not to be had here: take another, do not repeat.</summary>
    Unsupported,

    /// <summary>The thing named does not exist (any more).</summary>
    NotFound,

    /// <summary>The configuration or the pod asks for something wrong: repeating cannot help until it is changed.</summary>
    InvalidConfiguration,

    /// <summary>Credentials are missing, expired or not allowed to do this.</summary>
    Unauthorized,
}

/// <summary>A cloud call failed. <see cref="Exception.Message"/> is shown to the owner of the pod: say what was asked for and what to do.</summary>
public sealed class DriverException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="kind">What kind of failure it is.</param>
    /// <param name="message">What failed, in words a user understands.</param>
    /// <param name="innerException">The cloud's own error, if there is one.</param>
    public DriverException(DriverErrorKind kind, string message, Exception? innerException = null)
        : base(message, innerException) => Kind = kind;

    /// <summary>What kind of failure it is.</summary>
    public DriverErrorKind Kind { get; }

    /// <summary>Whether the same call may succeed when it is repeated.</summary>
    public bool IsRetryable => Kind is DriverErrorKind.Transient or DriverErrorKind.Throttled;

    /// <summary>Whether another instance type, zone or capacity type may succeed where this one did not.</summary>
    public bool SuggestsAlternative => Kind is DriverErrorKind.OutOfCapacity or DriverErrorKind.Quota or DriverErrorKind.Unsupported;
}
