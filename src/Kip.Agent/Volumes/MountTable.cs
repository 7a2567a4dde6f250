using System.Text;

namespace Kip.Agent.Volumes;

/// <summary>What is mounted where, from the kernel (proc(5), mountinfo).</summary>
internal static class MountTable
{
    private const int MountPointField = 4;

    /// <summary>The mount points below a directory, those mounted first first.</summary>
    public static List<string> Below(string directory)
    {
        var prefix = directory.TrimEnd('/') + "/";
        return [.. MountPoints().Where(path => path.StartsWith(prefix, StringComparison.Ordinal))];
    }

    public static bool IsMounted(string path) => MountPoints().Contains(path, StringComparer.Ordinal);

    private static IEnumerable<string> MountPoints() =>
        File.ReadLines("/proc/self/mountinfo").Select(line => Unescape(line.Split(' ')[MountPointField]));

    /// <summary>Blank, tab, newline and backslash come as a backslash and three octal digits.</summary>
    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length)
            {
                var digits = text.AsSpan(i + 1, 3);
                result.Append((char)(((digits[0] - '0') * 64) + ((digits[1] - '0') * 8) + digits[2] - '0'));
                i += 3;
            }
            else
            {
                result.Append(text[i]);
            }
        }

        return result.ToString();
    }
}
