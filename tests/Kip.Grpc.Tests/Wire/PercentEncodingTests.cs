using Kip.Grpc.Wire;

namespace Kip.Grpc.Tests.Wire;

public sealed class PercentEncodingTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain ~text!", "plain ~text!")]
    [InlineData("100%", "100%25")]
    [InlineData("é\n", "%C3%A9%0A")]
    [InlineData("🙂", "%F0%9F%99%82")]
    public void Encode_Text_IsAsciiAndComesBack(string text, string expected)
    {
        Assert.Equal(expected, PercentEncoding.Encode(text));
        Assert.Equal(text, PercentEncoding.Decode(expected));
    }

    [Theory]
    [InlineData("100%", "100%")]
    [InlineData("%", "%")]
    [InlineData("%zz", "%zz")]
    [InlineData("%4", "%4")]
    [InlineData("% 1", "% 1")]
    [InlineData("%c3%a9%", "é%")]
    public void Decode_BrokenEscape_StaysAsItIs(string text, string expected) =>
        Assert.Equal(expected, PercentEncoding.Decode(text));
}
