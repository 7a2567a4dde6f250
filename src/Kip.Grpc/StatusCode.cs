namespace Kip.Grpc;

/// <summary>The result codes of gRPC; the numbers are what travels in <c>grpc-status</c>.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md</remarks>
public enum StatusCode
{
    /// <summary>The call succeeded.</summary>
    OK = 0,

    /// <summary>The call was cancelled, usually by the caller.</summary>
    Cancelled = 1,

    /// <summary>Nothing better is known, such as an exception of a handler.</summary>
    Unknown = 2,

    /// <summary>The request is wrong whatever the state of the server.</summary>
    InvalidArgument = 3,

    /// <summary>The deadline passed before the call finished.</summary>
    DeadlineExceeded = 4,

    /// <summary>What was asked for does not exist.</summary>
    NotFound = 5,

    /// <summary>What was to be created exists.</summary>
    AlreadyExists = 6,

    /// <summary>The caller is known and not allowed to do this.</summary>
    PermissionDenied = 7,

    /// <summary>A limit was reached: a quota, a full disk, the size of a message.</summary>
    ResourceExhausted = 8,

    /// <summary>The state of the server does not admit the call; the caller must mend it before trying again.</summary>
    FailedPrecondition = 9,

    /// <summary>A conflict with another call; the caller may start its whole sequence again.</summary>
    Aborted = 10,

    /// <summary>Past the end of a valid range.</summary>
    OutOfRange = 11,

    /// <summary>The server does not know this method or feature.</summary>
    Unimplemented = 12,

    /// <summary>An invariant is broken, also on the wire.</summary>
    Internal = 13,

    /// <summary>The server cannot be reached at present; the same call may be tried again.</summary>
    Unavailable = 14,

    /// <summary>Data is lost or damaged for good.</summary>
    DataLoss = 15,

    /// <summary>The caller has not proved who it is.</summary>
    Unauthenticated = 16,
}
