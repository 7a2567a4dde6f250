using Kip.Drivers.Local.Networking;

namespace Kip.Drivers.Local.Tests.Networking;

public sealed class ForwardPolicyTests
{
    // As Docker leaves it.
    private const string Chains = """
        table ip nat {
        	chain POSTROUTING {
        		type nat hook postrouting priority srcnat; policy accept;
        	}
        }
        table ip filter {
        	chain INPUT {
        		type filter hook input priority filter; policy drop;
        	}
        	chain DOCKER {
        	}
        	chain FORWARD {
        		type filter hook forward priority filter; policy drop;
        	}
        }
        """;

    [Fact]
    public void Parse_ForwardingIsDropped_NamesTheChain() => Assert.Equal("filter FORWARD", ForwardPolicy.Parse(Chains));

    [Fact]
    public void Parse_ForwardingIsAccepted_IsNull() =>
        Assert.Null(ForwardPolicy.Parse(Chains.Replace("forward priority filter; policy drop;", "forward priority filter; policy accept;", StringComparison.Ordinal)));
}
