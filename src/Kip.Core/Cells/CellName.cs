using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Kip.Cells;

/// <summary>How cells are called: <c>cell-</c> and ten letters or digits.</summary>
internal static class CellName
{
    private const string Prefix = "cell-";
    private const string Characters = "bcdfghjkmnpqrstvwxz23456789"; // no vowels: no words; none that look alike
    private const int Length = 10;

    /// <summary>The name of any cell that is planned for this pod: hosts that do not know of each other come to the same.</summary>
    public static string Of(string podUid)
    {
        // 27^10 names are far fewer than this number has values: each is about as likely as any other.
        var number = BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(podUid)));
        Span<char> name = stackalloc char[Length];
        foreach (ref var character in name)
        {
            (number, var digit) = UInt128.DivRem(number, (UInt128)Characters.Length);
            character = Characters[(int)digit];
        }

        return $"{Prefix}{name}";
    }

    /// <summary>A name for a cell that no pod is known for.</summary>
    public static string Random() => Prefix + RandomNumberGenerator.GetString(Characters, Length);
}
