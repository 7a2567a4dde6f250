namespace Kip.Cells;

/// <summary>A cell and who takes it through its life.</summary>
internal sealed class AttendedCell(Cell cell, CellReconciler reconciler)
{
    public Cell Cell => cell;

    public CellReconciler Reconciler => reconciler;

    /// <summary>Completes when nobody attends to the cell any more.</summary>
    public Task Running { get; set; } = Task.CompletedTask;

    /// <summary>Since when it waits for a pod that nobody expects; null while one is.</summary>
    public DateTimeOffset? UnneededSince { get; set; }

    /// <summary>Whether its end was wished for before a pod took it.</summary>
    public bool IsRetired { get; set; }
}
