using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;

namespace Kip.Agent.Tests.Support;

/// <summary>Image archives in OCI layout, made of two static programs that Debian has.</summary>
internal static class TestImages
{
    public const string Busybox = "kip.test/busybox:1";
    public const string Pause = "kip.test/pause:1";

    private static readonly string[] _applets =
        ["sh", "echo", "sleep", "cat", "nc", "httpd", "head", "tail", "dd", "env", "id", "hostname", "ip", "ls", "true", "false", "wget", "seq", "printf", "grep", "stty", "wc"];

    /// <summary>Writes busybox.tar and pause.tar.</summary>
    public static IReadOnlyList<string> Write(string directory)
    {
        var busybox = Path.Combine(directory, "busybox.tar");
        var pause = Path.Combine(directory, "pause.tar");
        WriteArchive(busybox, Busybox, "\"Cmd\":[\"sh\"]", tar =>
        {
            AddDirectory(tar, "bin");
            AddDirectory(tar, "etc");
            AddDirectory(tar, "tmp");
            AddFile(tar, "bin/busybox", File.ReadAllBytes("/bin/busybox"));
            foreach (var applet in _applets)
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, $"bin/{applet}") { LinkName = "busybox" });
            }

            AddFile(tar, "etc/passwd", "root:x:0:0::/:/bin/sh\n"u8.ToArray());
        });
        WriteArchive(pause, Pause, "\"Entrypoint\":[\"/pause\",\"-P\"]", tar => AddFile(tar, "pause", File.ReadAllBytes("/usr/bin/catatonit")));
        return [busybox, pause];
    }

    private static void WriteArchive(string path, string name, string config, Action<TarWriter> layer)
    {
        using var layerStream = new MemoryStream();
        using (var tar = new TarWriter(layerStream, TarEntryFormat.Pax, leaveOpen: true))
        {
            layer(tar);
        }

        var layerBytes = layerStream.ToArray();
        var configBytes = Encoding.UTF8.GetBytes(
            $$$"""{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],{{{config}}}},"rootfs":{"type":"layers","diff_ids":["{{{Digest(layerBytes)}}}"]}}""");
        var manifest = Encoding.UTF8.GetBytes(
            $$$"""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{{{Digest(configBytes)}}}","size":{{{configBytes.Length}}}},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{{{Digest(layerBytes)}}}","size":{{{layerBytes.Length}}}}]}""");
        var index = Encoding.UTF8.GetBytes(
            $$$"""{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{{Digest(manifest)}}}","size":{{{manifest.Length}}},"annotations":{"io.containerd.image.name":"{{{name}}}"}}]}""");
        using var archive = new TarWriter(File.Create(path), TarEntryFormat.Pax);
        AddFile(archive, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"u8.ToArray());
        AddFile(archive, "index.json", index);
        foreach (var blob in (byte[][])[layerBytes, configBytes, manifest])
        {
            AddFile(archive, $"blobs/sha256/{Digest(blob)["sha256:".Length..]}", blob);
        }
    }

    private static string Digest(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static void AddDirectory(TarWriter tar, string name) =>
        tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, name) { Mode = (UnixFileMode)0b111_101_101 });

    private static void AddFile(TarWriter tar, string name, byte[] content) => tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
    {
        Mode = (UnixFileMode)0b111_101_101,
        DataStream = new MemoryStream(content),
    });
}
