namespace Kip.Cells;

/// <summary>
/// Where cell records are durable. When a method has returned, its effect survives the end of the process. Safe to call from many
/// threads; several processes may share one store.
/// </summary>
public interface ICellStore
{
    /// <summary>All records.</summary>
    Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Adds a record and returns it with its version.</summary>
    /// <exception cref="CellConflictException">
    /// There is a record of this id. The id of a pod's cell is made of the pod's UID, so that a pod cannot have two; a store may look for
    /// the UID as well.
    /// </exception>
    Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken);

    /// <summary>Replaces the version that <paramref name="record"/> is based on and returns it with its new version.</summary>
    /// <exception cref="CellConflictException">The record was changed or deleted by another in the meantime.</exception>
    Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken);

    /// <summary>Deletes a record in the version that is given; one that is gone already is no error.</summary>
    /// <exception cref="CellConflictException">The record was changed by another, or made anew, in the meantime.</exception>
    Task DeleteAsync(CellRecord record, CancellationToken cancellationToken);
}

/// <summary>A store refused a change because it was not based on what the store holds.</summary>
public sealed class CellConflictException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">What conflicts with what.</param>
    public CellConflictException(string message)
        : base(message)
    {
    }
}
