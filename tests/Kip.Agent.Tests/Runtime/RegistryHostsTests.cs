using Kip.Agent.CommandLine;
using Kip.Agent.Runtime;

namespace Kip.Agent.Tests.Runtime;

public sealed class RegistryHostsTests
{
    [Fact]
    public void Toml_OfDockerHubWithAMirror_FallsBackToIt() => Assert.Equal(
        """
        server = "https://registry-1.docker.io"

        [host."http://10.0.0.5:5000"]
          capabilities = ["pull", "resolve"]
          skip_verify = true

        """,
        RegistryHosts.Toml(new Registry("docker.io", [new Uri("http://10.0.0.5:5000/")], true)));

    [Fact]
    public void Toml_OfAPlainRegistry_NeverTriesTls() => Assert.StartsWith(
        "server = \"http://r.test:5000\"\n",
        RegistryHosts.Toml(new Registry("r.test:5000", [new Uri("http://r.test:5000")], false)),
        StringComparison.Ordinal);
}
