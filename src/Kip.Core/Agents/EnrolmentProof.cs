using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Kip.Agents;

/// <summary>The proof that an agent holds a cell's enrolment token and the key it asks a certificate for; defined in agent.proto.</summary>
internal static class EnrolmentProof
{
    private static ReadOnlySpan<byte> Context => "kip-enrol-v1"u8;

    public static bool Verify(string token, string cellId, byte[] nonce, byte[] subjectPublicKeyInfo, ReadOnlySpan<byte> proof)
    {
        var expected = Compute(token, cellId, nonce, subjectPublicKeyInfo);
        return CryptographicOperations.FixedTimeEquals(expected, proof);
    }

    public static byte[] Compute(string token, string cellId, byte[] nonce, byte[] subjectPublicKeyInfo)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Convert.FromBase64String(token));
        hash.AppendData(Context);
        Append(hash, Encoding.UTF8.GetBytes(cellId));
        Append(hash, nonce);
        Append(hash, subjectPublicKeyInfo);
        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, byte[] part)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }
}
