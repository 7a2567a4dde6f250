using System.Text.Json;
using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Instances;

/// <summary>
/// The directory of one cell. It appears complete, by a rename, before anything else of the cell is made, and goes, by a rename, after
/// everything else is gone. While the cell is launched or removed, whoever does it holds <see cref="LockFile"/>.
/// </summary>
internal sealed class InstanceDirectory(string path)
{
    public string Path => path;

    public string Id => System.IO.Path.GetFileName(path);

    public bool Exists => Directory.Exists(path);

    public string LockFile => In("lock");

    public string UserDataFile => In("user-data");

    public string InitScript => In("cell-init");

    public string ContainerdConfiguration => In("containerd.toml");

    public string RecordFile => In("instance.json");

    public string DiskFile => In("disk.img");

    /// <summary>One file for each volume that is attached, or may be: the path that it is on this machine.</summary>
    public string VolumesDirectory => In("volumes");

    private string InitFile => In("init");

    private string FailureFile => In("failure");

    private string TerminatingMarker => In("terminating");

    /// <summary>Fills a directory that nobody knows of yet.</summary>
    public void Write(InstanceRecord record, string userData, string initScript, string containerdConfiguration, string? resolverConfiguration)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var secret = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var file = new StreamWriter(UserDataFile, secret))
        {
            file.Write(userData);
        }

        File.WriteAllText(InitScript, initScript);
        File.WriteAllText(ContainerdConfiguration, containerdConfiguration);
        if (resolverConfiguration is not null)
        {
            File.WriteAllText(In("resolv.conf"), resolverConfiguration);
        }

        WriteRecord(RecordFile, record);
    }

    /// <summary>The record, or null when the file is gone, or is not what was written (a torn disk, somebody's editor).</summary>
    public InstanceRecord? ReadRecord() => ReadRecord(RecordFile);

    /// <summary>Notes the cell's first process, from then on the measure of whether it lives.</summary>
    public void WriteInit(ProcessIdentity init) => WriteAtomically(InitFile, init.ToString());

    public ProcessIdentity? ReadInit() => TryRead(InitFile) is { } text ? ProcessIdentity.Parse(text) : null;

    /// <summary>Why the cell's first process gave up, in its own words; null when it did not.</summary>
    public string? ReadFailure() => TryRead(FailureFile)?.Trim() is { Length: > 0 } reason ? reason : null;

    /// <summary>Notes that the cell is to end; nobody takes it for running from now on.</summary>
    public void MarkTerminating()
    {
        try
        {
            File.WriteAllText(TerminatingMarker, "");
        }
        catch (IOException)
        {
            // Somebody else was faster and has removed the cell, or the disk is full: neither may keep the cell from being removed.
        }
    }

    /// <summary>Where the cell is in its life, and why if it ended by itself.</summary>
    public (InstanceState State, string? Reason) ReadState()
    {
        var terminating = File.Exists(TerminatingMarker);
        if (ReadInit() is { } init)
        {
            return init.IsAlive()
                ? (terminating ? InstanceState.Terminating : InstanceState.Running, null)
                : (InstanceState.Terminated, terminating ? null : ReadFailure() ?? "the cell's first process ended");
        }

        if (FileLock.IsHeld(LockFile))
        {
            return (terminating ? InstanceState.Terminating : InstanceState.Pending, null);
        }

        return (InstanceState.Terminated, "the process that launched the cell ended before the cell had started");
    }

    public static InstanceRecord? ReadRecord(string file)
    {
        try
        {
            return TryRead(file) is { } text ? JsonSerializer.Deserialize(text, InstanceJsonContext.Default.InstanceRecord) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static void WriteRecord(string file, InstanceRecord record) =>
        WriteAtomically(file, JsonSerializer.Serialize(record, InstanceJsonContext.Default.InstanceRecord));

    private static void WriteAtomically(string file, string text)
    {
        var draft = $"{file}.{Guid.NewGuid():N}";
        File.WriteAllText(draft, text);
        File.Move(draft, file, overwrite: true);
    }

    private static string? TryRead(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (IOException exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private string In(string name) => System.IO.Path.Combine(path, name);
}
