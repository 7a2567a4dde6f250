using Kip.Grpc.Wire;

namespace Kip.Grpc.Tests.Wire;

public sealed class MetadataWireTests
{
    [Theory]
    [InlineData("", new byte[0])]
    [InlineData("AA", new byte[] { 0 })]
    [InlineData("AA==", new byte[] { 0 })]
    [InlineData("AAE=", new byte[] { 0, 1 })]
    [InlineData("AAEC", new byte[] { 0, 1, 2 })]
    public void Decode_BinaryPaddedOrNot_GivesTheBytes(string text, byte[] expected)
    {
        var metadata = new Metadata();
        MetadataWire.Decode(metadata, "X-Raw-Bin", text);

        Assert.Equal(expected, metadata.GetValueBytes("x-raw-bin"));
    }

    [Fact]
    public void Decode_BinaryValuesJoinedByCommas_AreParted()
    {
        var metadata = new Metadata();
        MetadataWire.Decode(metadata, "x-bin", "AA==, AQ");

        Assert.Equal([[0], [1]], metadata.Select(entry => entry.ValueBytes.ToArray()));
    }

    [Theory]
    [InlineData("A")]
    [InlineData("!!!!")]
    public void Decode_NotBase64_IsInternalAndNamesTheKey(string text)
    {
        RpcException e = Assert.Throws<RpcException>(() => MetadataWire.Decode(new Metadata(), "x-bin", text));

        Assert.Equal(StatusCode.Internal, e.StatusCode);
        Assert.Contains("x-bin", e.Status.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("grpc-status")]
    [InlineData("Content-Type")]
    public void Decode_HeaderOfTheProtocol_IsNoMetadata(string name)
    {
        var metadata = new Metadata();
        MetadataWire.Decode(metadata, name, "0");

        Assert.Empty(metadata);
    }

    [Fact]
    public void Encode_Bytes_AreNotPadded() =>
        Assert.Equal("AA", MetadataWire.Encode(new Metadata { { "x-bin", [0] } }.Single()));
}
