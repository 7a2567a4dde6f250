namespace Kip.Drivers.Local.Host;

/// <summary>The machine's loop devices.</summary>
internal static class LoopDevices
{
    private const string Deleted = " (deleted)";

    /// <summary>Those whose disk is a file, which may have been deleted since.</summary>
    public static IReadOnlyList<string> Of(string file)
    {
        var found = new List<string>();
        foreach (var device in Directory.EnumerateDirectories("/sys/block", "loop*"))
        {
            try
            {
                var backing = File.ReadAllText(Path.Combine(device, "loop", "backing_file")).TrimEnd('\n');
                if (backing == file || backing == file + Deleted)
                {
                    found.Add("/dev/" + Path.GetFileName(device));
                }
            }
            catch (IOException)
            {
                // Not attached to any file, or detached just now.
            }
        }

        return found;
    }
}
