namespace Kip.Agent.State;

/// <summary>Files that are either the old or the new text, never half of one.</summary>
internal static class AtomicFile
{
    /// <summary>Readable by the owner only.</summary>
    public const UnixFileMode Secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Readable by everybody.</summary>
    public const UnixFileMode Public = Secret | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Writes beside the file and renames over it.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        using (var stream = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = mode,
            BufferSize = 0,
        }))
        {
            stream.Write(content);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
