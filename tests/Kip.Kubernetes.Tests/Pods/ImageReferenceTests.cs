namespace Kip.Kubernetes.Tests;

public sealed class ImageReferenceTests
{
    private const string Hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("nginx", "docker.io/library/nginx:latest")]
    [InlineData("nginx:1.25", "docker.io/library/nginx:1.25")]
    [InlineData("user/app", "docker.io/user/app:latest")]
    [InlineData("docker.io/nginx", "docker.io/library/nginx:latest")]
    [InlineData("index.docker.io/nginx", "docker.io/library/nginx:latest")]
    [InlineData("docker.io/user/app:v1", "docker.io/user/app:v1")]
    [InlineData("localhost/app", "localhost/app:latest")]
    [InlineData("localhost:5000/app", "localhost:5000/app:latest")]
    [InlineData("host:5000/a/b/c:tag", "host:5000/a/b/c:tag")]
    [InlineData("gcr.io/p/app@sha256:" + Hex, "gcr.io/p/app@sha256:" + Hex)]
    [InlineData("app:v1@sha256:" + Hex, "docker.io/library/app:v1@sha256:" + Hex)]
    [InlineData("10.0.0.1:5000/app", "10.0.0.1:5000/app:latest")]
    [InlineData("[fd00::1]:5000/app:x", "[fd00::1]:5000/app:x")]
    [InlineData("Registry/app", "Registry/app:latest")]
    [InlineData("a__b/c-_d", null)]
    [InlineData("a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest")]
    public void Parse_Name_IsGivenInFull(string text, string? full)
    {
        Assert.Equal(full is not null, ImageReference.TryParse(text, out var reference, out _));
        if (full is not null)
        {
            Assert.Equal(full, reference!.ToString());
            Assert.Equal(reference, ImageReference.Parse(full));
        }
    }

    [Fact]
    public void Parse_Parts_AreApart()
    {
        var reference = ImageReference.Parse("localhost:5000/team/app:v1@sha256:" + Hex);
        Assert.Equal("localhost:5000", reference.Domain);
        Assert.Equal("team/app", reference.Repository);
        Assert.Equal("localhost:5000/team/app", reference.Name);
        Assert.Equal("v1", reference.Tag);
        Assert.Equal("sha256:" + Hex, reference.Digest);
        Assert.Null(ImageReference.Parse("app@sha256:" + Hex).Tag);
    }

    [Theory]
    [InlineData("", "image '': there is no name")]
    [InlineData(":tag", "image ':tag': there is no name")]
    [InlineData("Nginx", "image 'Nginx': the name must be lower case")]
    [InlineData("a b", "image 'a b': it contains white space")]
    [InlineData("nginx:", "image 'nginx:': '' is no tag: up to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'")]
    [InlineData("nginx:-x", "image 'nginx:-x': '-x' is no tag: up to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'")]
    [InlineData("nginx@sha256:abc", "image 'nginx@sha256:abc': 'sha256:abc' is no digest such as sha256:… with 64 hexadecimal digits")]
    [InlineData("host..x/app", "image 'host..x/app': 'host..x' is no registry host")]
    [InlineData("host:port/app", "image 'host:port/app': 'host:port' is no registry host")]
    [InlineData(Hex, "image '" + Hex + "': 64 hexadecimal digits are an image id, not a name")]
    [InlineData("a//b", "image 'a//b': the name must be lower-case letters and digits, separated by '/', '.', '_', '__' or '-'")]
    [InlineData("/a", "image '/a': the name must be lower-case letters and digits, separated by '/', '.', '_', '__' or '-'")]
    [InlineData("https://host.x/app", "image 'https://host.x/app': 'https:' is no registry host")]
    [InlineData("nginx\n", "image 'nginx\n': it contains white space")]
    public void Parse_NoName_SaysWhy(string text, string problem) =>
        Assert.Equal(problem, Assert.Throws<FormatException>(() => ImageReference.Parse(text)).Message);

    [Fact]
    public void Parse_NameTooLong_SaysWhy()
    {
        Assert.Contains(
            "longer than 255",
            Assert.Throws<FormatException>(() => ImageReference.Parse("host.x/" + new string('a', 250))).Message,
            StringComparison.Ordinal);
        Assert.NotNull(ImageReference.Parse("host.x/" + new string('a', 248)));
    }
}
