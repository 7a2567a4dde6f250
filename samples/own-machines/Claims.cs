using System.Text.Json;
using System.Text.Json.Serialization;
using Kip.Drivers;

namespace Kip.Samples.OwnMachines;

/// <summary>Who has which machine: one file, which one process at a time reads and replaces. What is in it has happened.</summary>
internal sealed class Claims(string directory, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private string Path => System.IO.Path.Combine(directory, "claims.json");

    public Task<IReadOnlyList<Claim>> ReadAsync(CancellationToken cancellationToken) =>
        ChangeAsync<IReadOnlyList<Claim>>(static claims => claims, cancellationToken);

    /// <summary>Gives the claims to <paramref name="change"/>, which may alter the list, and makes what it did durable.</summary>
    public async Task<T> ChangeAsync<T>(Func<List<Claim>, T> change, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        await using var held = await LockAsync(cancellationToken).ConfigureAwait(false);
        var before = File.Exists(Path) ? await File.ReadAllBytesAsync(Path, cancellationToken).ConfigureAwait(false) : "[]"u8.ToArray();
        var claims = JsonSerializer.Deserialize(before, ClaimsJsonContext.Default.ListClaim) ?? [];
        cancellationToken.ThrowIfCancellationRequested(); // from here on it happens
        var result = change(claims);
        var after = JsonSerializer.SerializeToUtf8Bytes(claims, ClaimsJsonContext.Default.ListClaim);
        if (!after.AsSpan().SequenceEqual(before))
        {
            await using (var file = new FileStream(Path + ".new", FileMode.Create))
            {
                // Not cut off half way: a file that is there is whole.
                await file.WriteAsync(after, CancellationToken.None).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
            }

            File.Move(Path + ".new", Path, overwrite: true);
        }

        return result;
    }

    // The kernel lets go of it when the process ends, however it ends.
    private async Task<FileStream> LockAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(Path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(Path + ".lock"))
            {
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}

/// <summary>One launch: a machine that somebody has, or had.</summary>
internal sealed record Claim(string Id, string Token, string Machine, InstanceState State, DateTimeOffset Since, CapacityType CapacityType, IReadOnlyDictionary<string, string> Tags)
{
    public DateTimeOffset? Ended { get; init; }
}

[JsonSerializable(typeof(List<Claim>))]
internal sealed partial class ClaimsJsonContext : JsonSerializerContext;
