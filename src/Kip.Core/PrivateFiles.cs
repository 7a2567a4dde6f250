namespace Kip;

/// <summary>Files and folders that only their owner may read. On Windows the folder's own access list decides.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerDirectory = OwnerFile | UnixFileMode.UserExecute;

    public static void CreateDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, OwnerDirectory);
        }
    }

    /// <summary>Makes an empty file unless there is one.</summary>
    public static void Touch(string path)
    {
        using var file = new FileStream(path, Options(FileMode.OpenOrCreate, FileShare.ReadWrite));
    }

    /// <summary>Writes a file so that readers see all of it or none.</summary>
    public static async Task WriteAsync(string path, string text, CancellationToken cancellationToken)
    {
        var temporary = path + ".new";
        await using (var file = new StreamWriter(temporary, Options(FileMode.Create, FileShare.None)))
        {
            await file.WriteAsync(text.AsMemory(), cancellationToken).ConfigureAwait(false);
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static FileStreamOptions Options(FileMode mode, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Share = share };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerFile;
        }

        return options;
    }
}
