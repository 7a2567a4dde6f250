using System.Buffers;
using System.Globalization;
using System.Text;

namespace Kip.Grpc.Wire;

/// <summary>The text of <c>grpc-message</c>: UTF-8 with everything but printable ASCII as %XX, and % itself too.</summary>
internal static class PercentEncoding
{
    private static readonly SearchValues<char> Literal =
        SearchValues.Create(Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c).Where(c => c != '%').ToArray());

    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExcept(Literal))
        {
            return text;
        }

        var encoded = new StringBuilder(text.Length + 16);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            if (Literal.Contains((char)value))
            {
                encoded.Append((char)value);
            }
            else
            {
                encoded.Append(CultureInfo.InvariantCulture, $"%{value:X2}");
            }
        }

        return encoded.ToString();
    }

    /// <summary>Decodes; what is no valid escape stays as it is, because a garbled text is better than none.</summary>
    public static string Decode(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        byte[] source = Encoding.UTF8.GetBytes(text);
        int length = 0;
        for (int i = 0; i < source.Length; i++)
        {
            if (source[i] == '%' && i + 2 < source.Length
                && byte.TryParse(source.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                source[length++] = value;
                i += 2;
            }
            else
            {
                source[length++] = source[i];
            }
        }

        return Encoding.UTF8.GetString(source, 0, length);
    }
}
