using System.Security.Cryptography;

namespace Kip.Cells;

/// <summary>
/// Says that the owner of some cells is alive, for as long as its process is: a lock on a file that the kernel lets go of however the
/// process ends.
/// </summary>
public sealed class OwnerLock : IDisposable
{
    private static readonly TimeSpan SettlingTime = TimeSpan.FromMinutes(1);

    // Whoever looks whether an owner is gone has its lock for a moment.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    private readonly FileLock _lock;

    private OwnerLock(string path, FileLock held)
    {
        _lock = held;
        Owner = Path.GetFileName(path);
    }

    /// <summary>The new owner's name; for <see cref="CellManagerOptions.Owner"/>.</summary>
    public string Owner { get; }

    /// <summary>Becomes an owner that comes back under the same name, such as a node.</summary>
    /// <param name="directory">The folder that all owners of one store share; made if needed.</param>
    /// <param name="owner">Its name; a file name.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="IOException">Another process is this owner.</exception>
    public static async Task<OwnerLock> TakeAsync(string directory, string owner, TimeProvider time, CancellationToken cancellationToken)
    {
        PrivateFiles.CreateDirectory(directory);
        var path = Path.Combine(directory, owner);
        try
        {
            return new OwnerLock(path, await FileLock.AcquireAsync(path, Patience, time, cancellationToken).ConfigureAwait(false));
        }
        catch (IOException e) when (FileLock.IsHeld(path))
        {
            throw new IOException($"another process is {owner}: it holds {path}", e);
        }
    }

    /// <summary>Makes a new owner that never comes back under the same name, such as one run of <c>kip run</c>.</summary>
    /// <param name="directory">The folder that all owners of one store share; made if needed.</param>
    /// <param name="prefix">What the name begins with.</param>
    public static OwnerLock Create(string directory, string prefix)
    {
        PrivateFiles.CreateDirectory(directory);
        var path = Path.Combine(directory, $"{prefix}-{RandomNumberGenerator.GetHexString(10, lowercase: true)}");
        return new OwnerLock(path, FileLock.TryAcquire(path) ?? throw new IOException($"{path} is locked, although it is new"));
    }

    /// <summary>Whether the process that made <paramref name="owner"/> has ended.</summary>
    public static bool IsGone(string directory, string owner) => !FileLock.IsHeld(Path.Combine(directory, owner));

    /// <summary>Forgets owners that are gone and have no cells.</summary>
    /// <param name="directory">The folder of the owners.</param>
    /// <param name="withCells">The owners that have cells.</param>
    /// <param name="time">The clock.</param>
    public static void ForgetGone(string directory, IReadOnlySet<string> withCells, TimeProvider time)
    {
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            // A new owner has its file a moment before it has the lock.
            var settled = time.GetUtcNow() - new DateTimeOffset(File.GetLastWriteTimeUtc(path), TimeSpan.Zero) > SettlingTime;
            if (settled && !withCells.Contains(Path.GetFileName(path)))
            {
                using var gone = FileLock.TryAcquire(path);
                gone?.DeleteFile();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lock.DeleteFile();
        _lock.Dispose();
    }
}
