using Kip.Kubernetes.Objects;

namespace Kip.Agent.Volumes;

/// <summary>Paths of the cell itself (<c>hostPath</c>): on a machine with one pod they are that pod's to use.</summary>
internal static class HostPaths
{
    private const UnixFileMode NewDirectory = (UnixFileMode)0b111_101_101;
    private const UnixFileMode NewFile = (UnixFileMode)0b110_100_100;

    /// <summary>Sees that the path is what the volume says, and makes what may be made.</summary>
    /// <exception cref="VolumeException">It is something else, or missing.</exception>
    public static void Prepare(HostPathVolumeSource source)
    {
        var type = LinuxCalls.Status(source.Path)?.Type;
        switch (source.Type)
        {
            case null or "":
                return;
            case "DirectoryOrCreate" when type is null:
                Directory.CreateDirectory(source.Path, NewDirectory);
                return;
            case "FileOrCreate" when type is null:
                using (File.Create(source.Path, 1))
                {
                    File.SetUnixFileMode(source.Path, NewFile);
                }

                return;
            case "Directory" or "DirectoryOrCreate":
                Require(LinuxCalls.Directory, "directory");
                return;
            case "File" or "FileOrCreate":
                Require(LinuxCalls.RegularFile, "file");
                return;
            case "Socket":
                Require(LinuxCalls.Socket, "socket file");
                return;
            case "CharDevice":
                Require(LinuxCalls.CharacterDevice, "character device");
                return;
            case "BlockDevice":
                Require(LinuxCalls.BlockDevice, "block device");
                return;
            default:
                throw new VolumeException($"hostPath type '{source.Type}' is not known");
        }

        void Require(int expected, string name)
        {
            if (type != expected)
            {
                throw new VolumeException($"hostPath type check failed: {source.Path} is not a {name}");
            }
        }
    }
}
