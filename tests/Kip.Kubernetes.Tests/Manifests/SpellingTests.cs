namespace Kip.Kubernetes.Tests;

public sealed class SpellingTests
{
    [Theory]
    [InlineData("", "", 0)]
    [InlineData("image", "image", 0)]
    [InlineData("IMAGE", "image", 0)]
    [InlineData("imge", "image", 1)]
    [InlineData("imagee", "image", 1)]
    [InlineData("imgae", "image", 1)]
    [InlineData("inage", "image", 1)]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    public void Distance_TwoNames_CountsEdits(string left, string right, int edits)
    {
        Assert.Equal(edits, Spelling.Distance(left, right));
        Assert.Equal(edits, Spelling.Distance(right, left));
    }
}
