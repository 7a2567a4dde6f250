namespace Kip.Grpc.Tests;

public sealed class MetadataTests
{
    [Fact]
    public void Add_KeyInUpperCase_IsFoundWithoutCase()
    {
        var metadata = new Metadata { { "X-Pod", "a" }, { "x-pod", "b" } };

        Assert.Equal("b", metadata.GetValue("X-POD"));
        Assert.Equal(["a", "b"], metadata.GetAll("x-pod").Select(entry => entry.Value));
        Assert.Equal("x-pod", metadata.First().Key);
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("ü")]
    [InlineData(":path")]
    [InlineData("grpc-status")]
    [InlineData("content-type")]
    [InlineData("te")]
    public void Add_KeyThatCannotTravel_Throws(string key) =>
        Assert.Throws<ArgumentException>(() => new Metadata().Add(key, "value"));

    [Fact]
    public void Add_TextUnderBinaryKey_Throws() =>
        Assert.Throws<ArgumentException>(() => new Metadata().Add("x-bin", "text"));

    [Fact]
    public void Add_BytesUnderTextKey_Throws() =>
        Assert.Throws<ArgumentException>(() => new Metadata().Add("x", [1]));

    [Theory]
    [InlineData("ü")]
    [InlineData("a\nb")]
    [InlineData("a\u007f")]
    public void Add_TextThatIsNotPrintableAscii_Throws(string value) =>
        Assert.Throws<ArgumentException>(() => new Metadata().Add("x", value));

    [Fact]
    public void GetValue_AbsentKey_IsNull()
    {
        Assert.Null(new Metadata().GetValue("x"));
        Assert.Null(new Metadata().GetValueBytes("x-bin"));
    }

    [Fact]
    public void Add_Bytes_AreCopied()
    {
        byte[] bytes = [1, 2];
        var metadata = new Metadata { { "x-bin", bytes } };
        bytes[0] = 9;

        Assert.Equal(new byte[] { 1, 2 }, metadata.GetValueBytes("x-bin"));
    }
}
