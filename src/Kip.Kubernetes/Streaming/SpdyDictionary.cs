using System.Buffers.Binary;
using System.Text;

namespace Kip.Kubernetes.Streaming;

/// <summary>The bytes that SPDY/3.1 has both sides of a header compression know before the first one (SPDY 3.1, 2.6.10.1).</summary>
internal static class SpdyDictionary
{
    /// <summary>The Adler-32 sum by which a zlib stream names the dictionary.</summary>
    public const uint Id = 0xE3C6A7C2;

    /// <summary>Each of them is preceded by its length in four bytes.</summary>
    private const string Words =
        "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|a" +
        "ge|allow|authorization|cache-control|connection|content-base|content-encoding|content-language|content-l" +
        "ength|content-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-matc" +
        "h|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragm" +
        "a|proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|u" +
        "pgrade|user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public" +
        "|set-cookie|keep-alive|origin";

    private const string Text =
        "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Author" +
        "itative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 No" +
        "t Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Au" +
        "g Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg," +
        "image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,def" +
        "late,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

    /// <summary>Makes the dictionary.</summary>
    public static byte[] Create()
    {
        using var dictionary = new MemoryStream();
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var word in Words.Split('|'))
        {
            BinaryPrimitives.WriteInt32BigEndian(length, word.Length);
            dictionary.Write(length);
            dictionary.Write(Encoding.ASCII.GetBytes(word));
        }

        dictionary.Write(Encoding.ASCII.GetBytes(Text));
        return dictionary.ToArray();
    }
}
