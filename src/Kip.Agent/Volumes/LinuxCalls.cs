using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kip.Agent.Volumes;

/// <summary>What a path is, as the kernel says; links are followed.</summary>
/// <param name="Mode">Type and permissions, as in <c>st_mode</c>.</param>
/// <param name="Owner">User id.</param>
/// <param name="Group">Group id.</param>
internal readonly record struct FileStatus(int Mode, uint Owner, uint Group)
{
    private const int TypeMask = 0xF000;

    /// <summary>One of the S_IF constants.</summary>
    public int Type => Mode & TypeMask;

    public int Permissions => Mode & 0xFFF;
}

/// <summary>The system calls that .NET has no words for. Each failure is an <see cref="IOException"/> with the kernel's reason.</summary>
internal static partial class LinuxCalls
{
    public const int Directory = 0x4000;
    public const int RegularFile = 0x8000;
    public const int Socket = 0xC000;
    public const int CharacterDevice = 0x2000;
    public const int BlockDevice = 0x6000;

    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int BasicStats = 0x7FF; // STATX_BASIC_STATS
    private const int PathOnly = 0x200000; // O_PATH
    private const int CloseOnExec = 0x80000;
    private const long OpenAt2 = 437; // the same on every architecture
    private const long OpenTreeNumber = 428; // these three likewise
    private const long MoveMountNumber = 429;
    private const long MountSetAttrNumber = 442;
    private const ulong Beneath = 0x08 | 0x02; // RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
    private const int Detach = 2; // MNT_DETACH
    private const nuint Bind = 4096; // MS_BIND
    private const int NotFound = 2; // ENOENT
    private const int NotADirectory = 20; // ENOTDIR
    private const int Exists = 17; // EEXIST
    private const int CrossesBoundary = 18; // EXDEV

    public static void MountTmpfs(string target, string options) =>
        Check(Mount("tmpfs", target, "tmpfs", 0, options), $"mount a tmpfs on {target}");

    public static void MountHugePages(string target, string options) =>
        Check(Mount("nodev", target, "hugetlbfs", 0, options), $"mount huge pages on {target}");

    /// <summary>Mounts a copy of a tree of mounts in which nothing can be written, and which no later mount in the original reaches.</summary>
    public static unsafe void MountReadOnlyTree(string source, string target)
    {
        const uint cloneTree = 1 | CloseOnExec; // OPEN_TREE_CLONE
        const uint recursive = 0x8000; // AT_RECURSIVE
        const uint emptyPath = 0x1000; // AT_EMPTY_PATH
        const uint moveFromEmptyPath = 4; // MOVE_MOUNT_F_EMPTY_PATH
        var descriptor = OpenTree(OpenTreeNumber, CurrentDirectory, source, cloneTree | recursive);
        if (descriptor < 0)
        {
            throw Failure(Marshal.GetLastPInvokeError(), $"copy the mounts of {source}");
        }

        using var tree = new SafeFileHandle((nint)descriptor, ownsHandle: true);
        var attributes = new MountAttributes { Set = 1 /* MOUNT_ATTR_RDONLY */, Propagation = 1 << 18 /* MS_PRIVATE */ };
        var size = (nuint)sizeof(MountAttributes);
        Check((int)SetMountAttributes(MountSetAttrNumber, (int)descriptor, "", emptyPath | recursive, &attributes, size), $"make {source} read-only");
        Check((int)MoveMount(MoveMountNumber, (int)descriptor, "", CurrentDirectory, target, moveFromEmptyPath), $"mount onto {target}");
    }

    public static void BindMount(SafeFileHandle source, string target) =>
        Check(Mount(PathOf(source), target, null, Bind, null), $"mount onto {target}");

    /// <summary>Takes the mount out of sight at once; the kernel frees it when its last user is gone.</summary>
    public static void Unmount(string target) => Check(Unmount(target, Detach), $"unmount {target}");

    /// <summary>Takes the mount away for good: when this is true, everything is on the disk. False while it is in use.</summary>
    public static bool TryUnmount(string target)
    {
        const int busy = 16; // EBUSY
        if (Unmount(target, 0) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == busy ? false : throw Failure(error, $"unmount {target}");
    }

    /// <summary>Writes everything of a file system to its disk.</summary>
    public static void Synchronize(string path)
    {
        var descriptor = Open(path, CloseOnExec);
        if (descriptor < 0)
        {
            throw Failure(Marshal.GetLastPInvokeError(), $"open {path}");
        }

        using var root = new SafeFileHandle(descriptor, ownsHandle: true);
        Check(SynchronizeFileSystem(descriptor), $"write {path} to its disk");
    }

    public static void SetOwner(string path, uint? owner, uint? group) =>
        Check(ChangeOwner(path, owner ?? uint.MaxValue, group ?? uint.MaxValue), $"change the owner of {path}");

    /// <summary>As the kernel does it: a link is moved, not what it leads to, and takes the place of what has the new name.</summary>
    public static void Rename(string from, string to) => Check(MoveName(from, to), $"rename {from} to {to}");

    /// <summary>Null when there is nothing.</summary>
    public static unsafe FileStatus? Status(string path)
    {
        var buffer = default(Statx);
        if (ReadStatus(CurrentDirectory, path, 0, BasicStats, &buffer) == 0)
        {
            return new FileStatus(buffer.Mode, buffer.Owner, buffer.Group);
        }

        var error = Marshal.GetLastPInvokeError();
        return error is NotFound or NotADirectory ? null : throw Failure(error, $"look at {path}");
    }

    public static FileStatus Status(SafeFileHandle handle) =>
        Status(PathOf(handle)) ?? throw new IOException("an open file has no status");

    /// <summary>Opens a directory to look things up in, nothing else.</summary>
    public static SafeFileHandle OpenDirectory(string path)
    {
        var descriptor = Open(path, PathOnly | CloseOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failure(Marshal.GetLastPInvokeError(), $"open {path}");
    }

    /// <summary>
    /// Opens what lies below a directory. Links are followed as far as they stay below it; the kernel sees to that, so nobody can swap
    /// a link in between. Null when there is nothing.
    /// </summary>
    public static unsafe SafeFileHandle? OpenBeneath(SafeFileHandle root, string path)
    {
        var how = new OpenHow { Flags = PathOnly | CloseOnExec, Resolve = Beneath };
        var descriptor = OpenAt2Call(OpenAt2, (int)root.DangerousGetHandle(), path, &how, (nuint)sizeof(OpenHow));
        if (descriptor >= 0)
        {
            return new SafeFileHandle((nint)descriptor, ownsHandle: true);
        }

        var error = Marshal.GetLastPInvokeError();
        return error switch
        {
            NotFound => null,
            CrossesBoundary => throw new IOException($"{path} leads out of the volume"),
            _ => throw Failure(error, $"open {path}"),
        };
    }

    /// <summary>Makes a directory right below an open one; one that is there already is as good.</summary>
    public static void MakeDirectory(SafeFileHandle parent, string name, int mode)
    {
        if (MakeDirectoryAt((int)parent.DangerousGetHandle(), name, (uint)mode) != 0 && Marshal.GetLastPInvokeError() is var error and not Exists)
        {
            throw Failure(error, $"make the directory {name}");
        }
    }

    /// <summary>A path that leads to the open file itself, whatever becomes of its name.</summary>
    public static string PathOf(SafeFileHandle handle) => $"/proc/self/fd/{handle.DangerousGetHandle()}";

    private static void Check(int result, string what)
    {
        if (result != 0)
        {
            throw Failure(Marshal.GetLastPInvokeError(), what);
        }
    }

    private static IOException Failure(int error, string what) => new($"cannot {what}: {new Win32Exception(error).Message}");

    /// <summary>What a file, or a link itself, takes of its disk; null when there is none.</summary>
    public static unsafe FileAllocation? Allocation(string path)
    {
        const int doNotFollow = 0x100; // AT_SYMLINK_NOFOLLOW
        const int blockSize = 512;
        var buffer = default(Statx);
        return ReadStatus(CurrentDirectory, path, doNotFollow, BasicStats, &buffer) == 0
            ? new FileAllocation((long)buffer.Blocks * blockSize, buffer.Device, buffer.Inode, buffer.Links)
            : null;
    }

    [LibraryImport("libc", EntryPoint = "mount", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Mount(string source, string target, string? type, nuint flags, string? options);

    [LibraryImport("libc", EntryPoint = "umount2", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmount(string target, int flags);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SynchronizeFileSystem(int descriptor);

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MoveName(string from, string to);

    [LibraryImport("libc", EntryPoint = "lchown", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ChangeOwner(string path, uint owner, uint group);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial int ReadStatus(int directory, string path, int flags, uint mask, Statx* buffer);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "mkdirat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MakeDirectoryAt(int parent, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial long OpenAt2Call(long number, int directory, string path, OpenHow* how, nuint size);

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial long OpenTree(long number, int directory, string path, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial long SetMountAttributes(long number, int directory, string path, uint flags, MountAttributes* attributes, nuint size);

    [LibraryImport("libc", EntryPoint = "syscall", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial long MoveMount(long number, int from, string fromPath, int to, string toPath, uint flags);

    /// <summary>struct mount_attr of linux/mount.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MountAttributes
    {
        public ulong Set;
        public ulong Clear;
        public ulong Propagation;
        public ulong UserNamespace;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }

    /// <summary>struct statx of linux/stat.h: laid out alike on every architecture.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Statx
    {
        [FieldOffset(16)]
        public uint Links;

        [FieldOffset(20)]
        public uint Owner;

        [FieldOffset(24)]
        public uint Group;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(48)]
        public ulong Blocks;

        [FieldOffset(136)]
        public ulong Device;
    }
}
