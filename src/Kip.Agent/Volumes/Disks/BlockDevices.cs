using Kip.Agents.Protocol;

namespace Kip.Agent.Volumes.Disks;

/// <summary>The block devices of the cell.</summary>
/// <param name="sys">Where the kernel describes them, <c>/sys</c>.</param>
internal sealed class BlockDevices(string sys = "/sys")
{
    /// <summary>The device, by the first of its paths that exists, or by its serial number; links are resolved.</summary>
    /// <exception cref="VolumeException">It is not there (yet).</exception>
    public string Find(DeviceLocation location)
    {
        foreach (var path in location.Paths)
        {
            if (LinuxCalls.Status(path)?.Type == LinuxCalls.BlockDevice)
            {
                return new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? path;
            }
        }

        return BySerial(location.Serial)
            ?? throw new VolumeException($"its device has not shown up yet ({string.Join(", ", location.Paths.Concat(location.Serial.Length > 0 ? [$"serial {location.Serial}"] : []))})");
    }

    private string? BySerial(string serial)
    {
        if (serial.Length == 0)
        {
            return null;
        }

        foreach (var directory in Directory.EnumerateDirectories(Path.Combine(sys, "block")))
        {
            // virtio has it beside the device, NVMe and SCSI below its parent.
            foreach (var file in (string[])[Path.Combine(directory, "serial"), Path.Combine(directory, "device", "serial")])
            {
                if (ReadLine(file) == serial)
                {
                    return $"/dev/{Path.GetFileName(directory)}";
                }
            }
        }

        return null;
    }

    private static string? ReadLine(string file)
    {
        try
        {
            return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
        }
        catch (IOException)
        {
            return null; // it went away just now
        }
    }
}
