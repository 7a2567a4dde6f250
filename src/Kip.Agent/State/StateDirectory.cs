using Google.Protobuf;

namespace Kip.Agent.State;

/// <summary>
/// What the agent remembers over its own restart, in a directory that only root reads (a tmpfs on real cells, since secrets are among it).
/// </summary>
internal sealed class StateDirectory
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly string _podFile;
    private readonly string _identityFile;

    public StateDirectory(string path)
    {
        Directory.CreateDirectory(path, OwnerOnly);
        Root = path;
        _podFile = Path.Combine(path, "pod.bin");
        _identityFile = Path.Combine(path, "identity.pem");
    }

    public string Root { get; }

    /// <summary>The pod and its counters, or null before the first one.</summary>
    public PodRecord? ReadPod() => File.Exists(_podFile) ? PodRecord.Parser.ParseFrom(File.ReadAllBytes(_podFile)) : null;

    public void WritePod(PodRecord record) => AtomicFile.Write(_podFile, record.ToByteArray(), AtomicFile.Secret);

    /// <summary>Private key and certificate chain in PEM, or null before enrolment.</summary>
    public string? ReadIdentity() => File.Exists(_identityFile) ? File.ReadAllText(_identityFile) : null;

    /// <summary>Key and chain go into one file, so that they can never be of two different enrolments.</summary>
    public void WriteIdentity(string pem) =>
        AtomicFile.Write(_identityFile, System.Text.Encoding.ASCII.GetBytes(pem), AtomicFile.Secret);

    /// <summary>A directory for files that containers see, such as /etc/hosts.</summary>
    public string PodFiles(string podUid) => Directory.CreateDirectory(Path.Combine(Root, "pods", podUid), OwnerOnly).FullName;
}
