using Kip.Cells;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Pods;

/// <summary>
/// What is known of one pod, by its UID. Changed only by the worker that has the pod's name; whoever watches its cell sets
/// <see cref="HasEnded"/> and <see cref="CellIsGone"/>, and wakes the worker.
/// </summary>
internal sealed class TrackedPod(PodReference reference)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    private volatile bool _hasEnded;
    private volatile bool _cellIsGone;
    private int _unusedCells;

    public PodReference Reference { get; } = reference;

    /// <summary>As the API server last had it; null for a cell that was taken up and whose pod was not seen yet.</summary>
    public Pod? Pod { get; set; }

    public Cell? Cell { get; set; }

    /// <summary>The version that the cell was given.</summary>
    public PodVersion? Given { get; set; }

    /// <summary>The pod has ended on its cell, or never came to it and will not.</summary>
    public bool HasEnded
    {
        get => _hasEnded;
        set => _hasEnded = value;
    }

    /// <summary>The API server was told to delete the pod, and will: nothing more needs to be said, however long it takes.</summary>
    public bool IsDeleted { get; set; }

    /// <summary>The cell has ended too, and its record is deleted.</summary>
    public bool CellIsGone
    {
        get => _cellIsGone;
        set => _cellIsGone = value;
    }

    /// <summary>Tells of the cell until it is gone.</summary>
    public Task Watching { get; set; } = Task.CompletedTask;

    /// <summary>Forgets a cell that is gone. True when the pod never came to it, so that it may be given another.</summary>
    public bool LoseCell()
    {
        var unused = Cell is { Record.ClaimedAt: null };
        Cell = null;
        Given = null;
        CellIsGone = false;
        HasEnded = !unused;
        return unused;
    }

    /// <summary>How long to wait before the next cell is tried.</summary>
    public TimeSpan NextStart()
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(_unusedCells++, 20));
        return pause < LongestPause ? pause : LongestPause;
    }
}
