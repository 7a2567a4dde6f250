using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Data.Sqlite;

namespace Kip.Cells;

/// <summary>Cell records in a SQLite file: the store of standalone mode. Several processes may share the file.</summary>
public sealed class SqliteCellStore : ICellStore, IDisposable
{
    // The record is kept whole as JSON, so that a newer Kip's fields survive an older one only by not being touched by it.
    private const string Schema = """
        PRAGMA journal_mode = WAL;
        CREATE TABLE IF NOT EXISTS cells (
            id      TEXT PRIMARY KEY NOT NULL,
            pod_uid TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL,
            record  TEXT NOT NULL
        ) WITHOUT ROWID;
        """;

    private const int ConstraintViolation = 19;

    private readonly string _connectionString;
    private readonly Queue<Write> _waiting = new();
    private Writer? _writer; // of the one thread that writes
    private bool _isWriting;
    private bool _isDisposed;

    private SqliteCellStore(string connectionString) => _connectionString = connectionString;

    /// <summary>Opens the store, making file and folder if they do not exist yet. The file is readable by its owner only.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="IOException">The file cannot be made, or is not a store of this kind.</exception>
    public static async Task<SqliteCellStore> OpenAsync(string path, CancellationToken cancellationToken)
    {
        SQLitePCL.Batteries_V2.Init();
        path = Path.GetFullPath(path);
        if (!File.Exists(path))
        {
            PrivateFiles.CreateDirectory(Path.GetDirectoryName(path)!);
            PrivateFiles.Touch(path);
        }

        var store = new SqliteCellStore(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = SqliteOpenMode.ReadWrite,
            DefaultTimeout = 30,
        }.ToString());
        try
        {
            using var connection = await store.ConnectAsync(cancellationToken).ConfigureAwait(false);
            using var command = connection.CreateCommand();
            command.CommandText = Schema;
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (SqliteException e)
        {
            throw new IOException($"{path}: cannot be used as a cell store: {e.Message}", e);
        }

        return store;
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<CellRecord>> ListAsync(CancellationToken cancellationToken)
    {
        using var connection = await ConnectAsync(cancellationToken).ConfigureAwait(false);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT record, version FROM cells ORDER BY id";
        using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var records = new List<CellRecord>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var record = JsonSerializer.Deserialize(reader.GetString(0), CellsJsonContext.Default.CellRecord)
                ?? throw new InvalidDataException("a cell record in the store is null");
            records.Add(record with { Version = reader.GetInt64(1) });
        }

        return records;
    }

    /// <inheritdoc/>
    public async Task<CellRecord> AddAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var added = record with { Version = 1 };
        try
        {
            await WriteAsync(Statement.Insert, added, 0, cancellationToken).ConfigureAwait(false);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == ConstraintViolation)
        {
            throw new CellConflictException($"the store has a cell {record.Id} or a cell for pod {record.Pod} (UID {record.Pod?.Uid}) already");
        }

        return added;
    }

    /// <inheritdoc/>
    public async Task<CellRecord> UpdateAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var updated = record with { Version = record.Version + 1 };
        int rows;
        try
        {
            rows = await WriteAsync(Statement.Update, updated, record.Version, cancellationToken).ConfigureAwait(false);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == ConstraintViolation)
        {
            throw new CellConflictException($"the store has another cell for pod {record.Pod} (UID {record.Pod?.Uid})");
        }

        return rows == 1
            ? updated
            : throw new CellConflictException($"cell {record.Id} was changed by another since version {record.Version}, or is gone");
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(CellRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(record);
        var rows = await WriteAsync(new Write(Statement.Delete, record.Id, "", 0, record.Version, ""), cancellationToken).ConfigureAwait(false);
        if (rows == 0 && (await ListAsync(cancellationToken).ConfigureAwait(false)).Any(r => r.Id == record.Id))
        {
            throw new CellConflictException($"cell {record.Id} was changed by another since version {record.Version}");
        }
    }

    private Task<int> WriteAsync(Statement statement, CellRecord record, long old, CancellationToken cancellationToken)
    {
        var json = JsonSerializer.Serialize(record, CellsJsonContext.Default.CellRecord);
        // The column is unique: what waits for a pod stands there by its own name.
        return WriteAsync(new Write(statement, record.Id, record.Pod?.Uid ?? record.Id, record.Version, old, json), cancellationToken);
    }

    /// <summary>Returns how many rows were changed, once that is durable.</summary>
    private Task<int> WriteAsync(Write write, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_waiting)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _waiting.Enqueue(write);
            if (_isWriting)
            {
                return write.Rows.Task;
            }

            _isWriting = true;
        }

        _ = Task.Run(WriteAll, CancellationToken.None); // it tells each writer how it ended, and throws nothing
        return write.Rows.Task;
    }

    // One transaction for all that wait: what takes time is to make it durable, and SQLite has one writer at a time.
    private void WriteAll()
    {
        while (true)
        {
            List<Write> batch;
            lock (_waiting)
            {
                if (_waiting.Count == 0)
                {
                    _isWriting = false;
                    if (_isDisposed)
                    {
                        Close();
                    }

                    return;
                }

                batch = [.. _waiting];
                _waiting.Clear();
            }

            var results = new List<(Write Write, int Rows, SqliteException? Problem)>(batch.Count);
            try
            {
                _writer ??= new Writer(_connectionString);
                using var transaction = _writer.Begin();
                foreach (var write in batch)
                {
                    results.Add(_writer.Execute(transaction, write));
                }

                transaction.Commit();
            }
            catch (Exception e)
            {
                // Whatever it was, a full disk for one, nothing of the batch is durable, and each writer has to know.
                _writer?.Dispose();
                _writer = null;
                batch.ForEach(write => write.Rows.SetException(e));
                continue;
            }

            foreach (var (write, rows, problem) in results)
            {
                if (problem is null)
                {
                    write.Rows.SetResult(rows);
                }
                else
                {
                    write.Rows.SetException(problem);
                }
            }
        }
    }

    /// <summary>Closes the file, once writes that have begun are durable. Calls after it throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        lock (_waiting)
        {
            _isDisposed = true;
            if (!_isWriting)
            {
                Close();
            }
        }
    }

    private void Close()
    {
        _writer?.Dispose();
        _writer = null;
        // Connections that were closed stay open in a pool, three files each.
        using var any = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(any);
    }

    private async Task<SqliteConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var connection = new SqliteConnection(_connectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        return connection;
    }

    private enum Statement
    {
        Insert,
        Update,
        Delete,
    }

    private sealed record Write(Statement Statement, string Id, string PodUid, long Version, long OldVersion, string Record)
    {
        public TaskCompletionSource<int> Rows { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>A connection whose statements are compiled once.</summary>
    private sealed class Writer : IDisposable
    {
        private readonly SqliteConnection _connection;
        private readonly SqliteCommand[] _commands;

        public Writer(string connectionString)
        {
            _connection = new SqliteConnection(connectionString);
            _connection.Open();
            _commands =
            [
                Prepare("INSERT INTO cells (id, pod_uid, version, record) VALUES ($id, $pod, $version, $record)", "$id", "$pod", "$version", "$record"),
                Prepare(
                    "UPDATE cells SET version = $version, record = $record, pod_uid = $pod WHERE id = $id AND version = $old",
                    "$id", "$pod", "$version", "$record", "$old"),
                Prepare("DELETE FROM cells WHERE id = $id AND version = $old", "$id", "$old"),
            ];
        }

        public SqliteTransaction Begin() => _connection.BeginTransaction(deferred: false);

        // A statement that violates a constraint changes nothing; the others of the transaction stand.
        public (Write Write, int Rows, SqliteException? Problem) Execute(SqliteTransaction transaction, Write write)
        {
            var command = _commands[(int)write.Statement];
            command.Transaction = transaction;
            foreach (SqliteParameter parameter in command.Parameters)
            {
                parameter.Value = parameter.ParameterName switch
                {
                    "$id" => write.Id,
                    "$pod" => write.PodUid,
                    "$version" => write.Version,
                    "$old" => write.OldVersion,
                    _ => write.Record,
                };
            }

            try
            {
                return (write, command.ExecuteNonQuery(), null);
            }
            catch (SqliteException e) when (e.SqliteErrorCode == ConstraintViolation)
            {
                return (write, 0, e);
            }
        }

        public void Dispose()
        {
            foreach (var command in _commands)
            {
                command.Dispose();
            }

            _connection.Dispose();
        }

        private SqliteCommand Prepare(string sql, params ReadOnlySpan<string> parameters)
        {
            var command = _connection.CreateCommand();
#pragma warning disable CA2100 // Only the constants above come here.
            command.CommandText = sql;
#pragma warning restore CA2100
            foreach (var name in parameters)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = name });
            }

            return command;
        }
    }
}
