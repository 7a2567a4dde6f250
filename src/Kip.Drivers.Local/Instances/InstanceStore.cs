using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Kip.Drivers.Local.Host;

namespace Kip.Drivers.Local.Instances;

/// <summary>
/// The state directory:
/// <code>
/// lock                            held while addresses are given out, and while the bridge is made or removed
/// cells/CONTROLLER/ID/            a cell (InstanceDirectory)
/// cells/CONTROLLER/.new-ID/       one being written; rubbish to whoever holds the lock
/// cells/CONTROLLER/.gone-…/       one being deleted
/// ended/CONTROLLER/ID.json        what is remembered for an hour of a cell that is gone
/// </code>
/// The path says whose a cell is, so that one with an unreadable record is neither lost by its owner nor touched by another.
/// </summary>
internal sealed partial class InstanceStore
{
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(30);

    private readonly string _stateDirectory;
    private readonly string _cells;
    private readonly string _ended;
    private readonly string _controllerId;
    private readonly TimeProvider _timeProvider;

    public InstanceStore(string stateDirectory, string controllerId, TimeProvider timeProvider)
    {
        _stateDirectory = stateDirectory;
        _controllerId = controllerId;
        _timeProvider = timeProvider;
        var controller = PlainName().IsMatch(controllerId) ? controllerId : "sha256-" + Hash(controllerId)[..32];
        _cells = Path.Combine(stateDirectory, "cells", controller);
        _ended = Path.Combine(stateDirectory, "ended", controller);
    }

    /// <summary>How long an ended cell is remembered.</summary>
    public static TimeSpan Memory { get; } = TimeSpan.FromHours(1);

    /// <summary>The instance that a launch token stands for: the same one for every process that asks.</summary>
    public string InstanceId(string launchToken) => "i-" + Hash($"{_stateDirectory}\n{_controllerId}\n{launchToken}")[..17];

    /// <summary>Excludes every other process with the same state directory.</summary>
    public Task<FileLock> LockAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_stateDirectory);
        return FileLock.AcquireAsync(Path.Combine(_stateDirectory, "lock"), LockPatience, _timeProvider, cancellationToken);
    }

    public InstanceDirectory Get(string id) => new(Path.Combine(_cells, id));

    /// <summary>The directory that <see cref="Publish"/> turns into the cell's.</summary>
    public InstanceDirectory GetDraft(string id) => new(Path.Combine(_cells, ".new-" + id));

    public static bool IsInstanceId(string id) => InstanceIdFormat().IsMatch(id);

    /// <summary>Whether the cell was there once and is gone.</summary>
    public bool IsRemembered(string id) => File.Exists(EndedFile(id));

    public void Publish(InstanceDirectory draft) => Directory.Move(draft.Path, Get(draft.Id[".new-".Length..]).Path);

    /// <summary>This controller's cells.</summary>
    public IEnumerable<InstanceDirectory> List() => CellsIn(_cells);

    /// <summary>Every controller's cells.</summary>
    public IEnumerable<InstanceDirectory> ListAll() => Directories(Path.Combine(_stateDirectory, "cells")).SelectMany(CellsIn);

    /// <summary>Deletes what killed processes left half written or half deleted. The caller holds the lock.</summary>
    public void DeleteRubbish()
    {
        foreach (var directory in Rubbish())
        {
            Delete(directory);
        }
    }

    /// <summary>Whether killed processes left something half written or half deleted, or live ones are at it.</summary>
    public bool HasRubbish() => Rubbish().Any();

    /// <summary>Makes a cell a memory. The caller holds the lock, and deletes what is returned after giving it back.</summary>
    public string? Retire(InstanceDirectory cell, string? reason)
    {
        // Without a readable record there is nothing to remember but that it was.
        var record = cell.ReadRecord() ?? UnreadableRecord(cell);
        Directory.CreateDirectory(_ended);
        InstanceDirectory.WriteRecord(EndedFile(cell.Id), record with { EndReason = reason });
        return Discard(cell);
    }

    /// <summary>Makes a cell vanish without a memory, because it never was. As <see cref="Retire"/>.</summary>
    public string? Discard(InstanceDirectory cell)
    {
        var grave = Path.Combine(_cells, $".gone-{cell.Id}-{Guid.NewGuid():N}");
        try
        {
            Directory.Move(cell.Path, grave);
            return grave;
        }
        catch (DirectoryNotFoundException)
        {
            return null;
        }
    }

    public static void Delete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Another process deletes the same rubbish.
        }
    }

    /// <summary>What can be said of a cell of this controller whose record cannot be read.</summary>
    public InstanceRecord UnreadableRecord(InstanceDirectory cell) => new()
    {
        Id = cell.Id,
        InstanceType = "unknown",
        Zone = LocalCatalog.Zone,
        Tags = new Dictionary<string, string>(StringComparer.Ordinal) { [InstanceTags.ControllerId] = _controllerId },
        Address = "",
        PodAddress = "",
        LaunchedAt = new DateTimeOffset(Directory.GetCreationTimeUtc(cell.Path), TimeSpan.Zero),
    };

    /// <summary>This controller's ended cells that are still remembered; older ones are forgotten here.</summary>
    public IEnumerable<InstanceRecord> ListEnded()
    {
        if (!Directory.Exists(_ended))
        {
            yield break;
        }

        var oldest = _timeProvider.GetUtcNow().UtcDateTime - Memory;
        foreach (var file in Directory.EnumerateFiles(_ended, "*.json"))
        {
            if (File.GetLastWriteTimeUtc(file) < oldest)
            {
                File.Delete(file);
            }
            else if (InstanceDirectory.ReadRecord(file) is { } record)
            {
                yield return record;
            }
        }
    }

    private static IEnumerable<InstanceDirectory> CellsIn(string directory) =>
        Directories(directory).Where(path => IsInstanceId(Path.GetFileName(path))).Select(path => new InstanceDirectory(path));

    private IEnumerable<string> Rubbish() => Directories(_cells).Where(directory => Path.GetFileName(directory).StartsWith('.'));

    private static string[] Directories(string parent)
    {
        try
        {
            return Directory.GetDirectories(parent);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainName();

    [GeneratedRegex("^i-[0-9a-f]{17}$", RegexOptions.CultureInvariant)]
    private static partial Regex InstanceIdFormat();

    private string EndedFile(string id) => Path.Combine(_ended, string.Create(CultureInfo.InvariantCulture, $"{id}.json"));
}
