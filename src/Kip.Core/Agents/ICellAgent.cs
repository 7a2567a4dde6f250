using Kip.Cells;
using Kip.Kubernetes.Objects;

namespace Kip.Agents;

/// <summary>A connection to the agent on one cell.</summary>
/// <remarks>Every method throws <see cref="AgentException"/> when the agent refuses or cannot be reached.</remarks>
public interface ICellAgent : IAsyncDisposable
{
    /// <summary>Names the agent process; a new one counts its events anew.</summary>
    string Instance { get; }

    /// <summary>Gives the cell its one pod, or a newer version of it. Safe to repeat.</summary>
    Task ApplyPodAsync(PodAssignment assignment, CancellationToken cancellationToken);

    /// <summary>Ends the pod; returns once the agent has recorded the wish. Safe to repeat; a repeated call can only shorten the grace period.</summary>
    Task StopPodAsync(string podUid, TimeSpan gracePeriod, CancellationToken cancellationToken);

    /// <summary>Brings an image to the cell for a pod to come; returns when it is there.</summary>
    /// <param name="image">As in a container's image.</param>
    /// <param name="credentials">For pulling it.</param>
    /// <param name="cancellationToken">Ends the call and the pull.</param>
    Task PullImageAsync(string image, IReadOnlyList<RegistryCredential> credentials, CancellationToken cancellationToken);

    /// <summary>
    /// The events so far, then the status as it is now, then each change as it happens; a heartbeat at least every 10 seconds. An event
    /// comes before the status that it led to. Ends only by exception or cancellation.
    /// </summary>
    /// <param name="afterEvent">Events of this agent process up to this sequence number are known already; 0 for all it still has.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    IAsyncEnumerable<AgentUpdate> WatchAsync(long afterEvent, CancellationToken cancellationToken);

    /// <summary>A container's log, oldest line first. With <see cref="LogQuery.Follow"/> it begins before the container does and ends with it.</summary>
    IAsyncEnumerable<LogEntry> ReadLogsAsync(string podUid, LogQuery query, CancellationToken cancellationToken);

    /// <summary>Runs a command in a container; returns once it is under way. To be disposed of.</summary>
    Task<IContainerSession> ExecAsync(string podUid, ExecRequest request, CancellationToken cancellationToken);

    /// <summary>Joins the streams of a container's first process. To be disposed of, which leaves the container running.</summary>
    Task<IContainerSession> AttachAsync(string podUid, AttachRequest request, CancellationToken cancellationToken);

    /// <summary>Connects to a server that listens in the pod, on its loopback address too. To be disposed of.</summary>
    /// <param name="podUid">The pod.</param>
    /// <param name="port">1 to 65535.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    Task<IPortConnection> ForwardPortAsync(string podUid, int port, CancellationToken cancellationToken);

    /// <summary>What the pod and its cell use at this moment.</summary>
    Task<PodStatistics> GetStatisticsAsync(CancellationToken cancellationToken);
}

/// <summary>Makes connections to agents, enrolling those that are new.</summary>
public interface ICellAgentConnector
{
    /// <summary>
    /// The single-use secret, base64, that the instance of this cell is told, for <see cref="CellBootConfiguration.EnrolmentToken"/>: always
    /// the same for one id and launch token, and not to be had from the record alone.
    /// </summary>
    string GetEnrolmentToken(CellRecord cell);

    /// <summary>
    /// One attempt to reach the agent of a cell at <see cref="CellRecord.Address"/>. An agent that has no certificate yet is enrolled
    /// by the token of <see cref="GetEnrolmentToken"/>, as long as the cell has not come to <see cref="CellState.Ready"/> or
    /// <see cref="CellState.Claimed"/>; one that has must prove to be this cell.
    /// </summary>
    /// <param name="cell">The cell; its address must be known.</param>
    /// <param name="onStep">Told of the steps on the way, for timelines; may be null.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="AgentException">It does not answer (yet), or is not who it should be.</exception>
    Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken);
}

/// <summary>The steps of <see cref="ICellAgentConnector.ConnectAsync"/>.</summary>
public enum AgentConnectStep
{
    /// <summary>The agent answered on its port.</summary>
    Answered = 0,

    /// <summary>The agent serves with a certificate of this controller's authority.</summary>
    Enrolled,
}

/// <summary>What an agent is given to run.</summary>
/// <param name="Pod">The pod, with all that only the controller can know already resolved.</param>
/// <param name="PodAddress">The address reserved for the pod, or null when it has the cell's own.</param>
/// <param name="Credentials">For pulling its images.</param>
/// <remarks>It holds secrets: never stored, never logged.</remarks>
public sealed record PodAssignment(Pod Pod, string? PodAddress, IReadOnlyList<RegistryCredential> Credentials)
{
    /// <summary>The most that an agent takes in one request, in bytes.</summary>
    public const int MaximumBytes = 64 << 20;

    /// <summary>
    /// The files of each volume that comes from API objects (configMap, secret, projected). Given again with other contents, the files
    /// on the cell change as one while containers run.
    /// </summary>
    public IReadOnlyList<ResolvedVolume> Volumes { get; init; } = [];

    /// <summary>
    /// The persistent volume behind each volume that is a claim. The core launches the cell where they are, attaches them before the agent is
    /// given the pod, and takes them off when it has ended; see <see cref="Drivers.IVolumeAttacher"/>.
    /// </summary>
    public IReadOnlyList<PodPersistentVolume> PersistentVolumes { get; init; } = [];

    /// <summary>
    /// The handler that the pod's runtime class names; null when it has no class, or there is no API server that knows it. In that case
    /// the agent takes the class's name for the handler's.
    /// </summary>
    public string? RuntimeHandler { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Pod.Metadata.Namespace}/{Pod.Metadata.Name} with {Volumes.Count} volumes";
}

/// <summary>A volume of a pod as files.</summary>
/// <param name="Name">As in the pod's <c>spec.volumes</c>.</param>
/// <param name="Files">In any order; each path once.</param>
public sealed record ResolvedVolume(string Name, IReadOnlyList<ResolvedFile> Files);

/// <summary>One file of a volume.</summary>
/// <param name="Path">Below the volume's root, with <c>/</c> between its parts.</param>
/// <param name="Data">What it holds.</param>
/// <param name="Mode">Permission bits, 0 to 0777; what the pod's fsGroup needs is added on the cell.</param>
/// <param name="Owner">User id of the owner; 0 for root.</param>
public sealed record ResolvedFile(string Path, ReadOnlyMemory<byte> Data, int Mode, long Owner = 0)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Path} ({Data.Length} bytes)";
}

/// <summary>How to log in to one registry.</summary>
/// <param name="Registry">Host, or host:port, as it stands in image names; <c>docker.io</c> for Docker Hub.</param>
/// <param name="Username">User name.</param>
/// <param name="Password">Password or token.</param>
public sealed record RegistryCredential(string Registry, string Username, string Password)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Registry} as {Username}";
}

/// <summary>One message of <see cref="ICellAgent.WatchAsync"/>; at most one of its parts is set, none for a heartbeat.</summary>
/// <param name="Status">The pod's status as it is now.</param>
/// <param name="Event">Something that happened.</param>
/// <param name="Interruption">The cloud takes the cell back.</param>
public sealed record AgentUpdate(PodStatus? Status, AgentEvent? Event, AgentInterruption? Interruption = null);

/// <summary>The cloud has told a cell that it takes it back, as spot capacity is.</summary>
/// <param name="Deadline">When the instance is to end.</param>
/// <param name="Message">In the cloud's words.</param>
public sealed record AgentInterruption(DateTimeOffset Deadline, string Message);

/// <summary>Something that happened to the pod on its cell, as a kubelet would record it.</summary>
/// <param name="Sequence">Grows by one with each event of one agent process.</param>
/// <param name="Time">By the cell's clock.</param>
/// <param name="Type"><c>Normal</c> or <c>Warning</c>.</param>
/// <param name="Reason">One word, for example <c>Pulled</c>.</param>
/// <param name="Message">A sentence for the pod's owner.</param>
/// <param name="Container">The container it is about, or null for the pod.</param>
public sealed record AgentEvent(long Sequence, DateTimeOffset Time, string Type, string Reason, string Message, string? Container);

/// <summary>Which part of a container's log to read.</summary>
public sealed record LogQuery
{
    /// <summary>Name of the container.</summary>
    public required string Container { get; init; }

    /// <summary>Go on until the container will not run again.</summary>
    public bool Follow { get; init; }

    /// <summary>The run before the present one.</summary>
    public bool Previous { get; init; }

    /// <summary>At most so many lines from the end; null for all.</summary>
    public long? TailLines { get; init; }

    /// <summary>Only lines from this time on.</summary>
    public DateTimeOffset? Since { get; init; }
}

/// <summary>A piece of a container's log.</summary>
/// <param name="Time">When the runtime read it.</param>
/// <param name="IsError">Whether it was written to standard error.</param>
/// <param name="Data">As the container wrote it, the newline included where there was one.</param>
public readonly record struct LogEntry(DateTimeOffset Time, bool IsError, ReadOnlyMemory<byte> Data);

/// <summary>Why an agent could not do what it was asked.</summary>
public enum AgentErrorKind
{
    /// <summary>Not reached, or the connection broke: try again.</summary>
    Unavailable = 0,

    /// <summary>It answered, but could not prove to be the cell it should be. Do not talk to it.</summary>
    Untrusted,

    /// <summary>It refuses the pod, or what was asked for cannot be done: the message says why. Repeating cannot help.</summary>
    Refused,

    /// <summary>It does not know what was asked for.</summary>
    NotFound,

    /// <summary>It failed.</summary>
    Failed,
}

/// <summary>An agent refused or could not be reached.</summary>
public sealed class AgentException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="kind">What kind of failure it is.</param>
    /// <param name="message">What failed, in words a user understands.</param>
    /// <param name="innerException">What caused it, if anything did.</param>
    public AgentException(AgentErrorKind kind, string message, Exception? innerException = null)
        : base(message, innerException) => Kind = kind;

    /// <summary>What kind of failure it is.</summary>
    public AgentErrorKind Kind { get; }
}
