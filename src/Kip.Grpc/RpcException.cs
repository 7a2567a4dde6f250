namespace Kip.Grpc;

/// <summary>
/// A call that ended with a status other than <see cref="StatusCode.OK"/>. A client receives it; a handler throws it to
/// answer with a status and trailers of its choice.
/// </summary>
public sealed class RpcException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="code">The status code; not <see cref="StatusCode.OK"/>.</param>
    /// <param name="detail">The text for people; it reaches the peer, so it holds no secrets.</param>
    /// <param name="trailers">Metadata that travels behind the status.</param>
    /// <param name="inner">The cause; it stays on this side of the wire.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="code"/> is <see cref="StatusCode.OK"/>.</exception>
    public RpcException(StatusCode code, string detail, Metadata? trailers = null, Exception? inner = null)
        : base($"{code}: {detail}", inner)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(code, StatusCode.OK);
        ArgumentNullException.ThrowIfNull(detail);
        Status = new Status(code, detail);
        Trailers = trailers ?? [];
    }

    /// <summary>Code and text.</summary>
    public Status Status { get; }

    /// <summary>The code of <see cref="Status"/>.</summary>
    public StatusCode StatusCode => Status.StatusCode;

    /// <summary>The metadata that came, or goes, behind the status.</summary>
    public Metadata Trailers { get; }
}
