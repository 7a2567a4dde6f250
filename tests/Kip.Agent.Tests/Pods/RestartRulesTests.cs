using Kip.Agent.Pods;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Tests.Pods;

public sealed class RestartRulesTests
{
    [Theory]
    [InlineData(null, null, 1, true)]
    [InlineData("Never", null, 1, false)]
    [InlineData("Never", "OnFailure", 1, true)]
    [InlineData("Never", "OnFailure", 0, false)]
    [InlineData("Always", "Never", 1, false)]
    [InlineData("Never", "Always", 0, true)]
    public void Restarts_WithoutRules_IsThePolicysAffair(string? pods, string? own, int code, bool expected) =>
        Assert.Equal(expected, RestartRules.Restarts(new PodSpec { RestartPolicy = pods }, new Container { RestartPolicy = own }, code, code != 0));

    [Theory]
    [InlineData("In", 42, true)]
    [InlineData("In", 43, true)]
    [InlineData("In", 1, false)]
    [InlineData("In", null, false)]
    [InlineData("NotIn", 42, false)]
    [InlineData("NotIn", 1, true)]
    [InlineData("NotIn", null, false)]
    public void Restarts_WithARule_IsWhatTheRuleSays(string @operator, int? code, bool expected)
    {
        var container = new Container
        {
            RestartPolicy = "Never",
            RestartPolicyRules = [new() { Action = "Restart", ExitCodes = new() { Operator = @operator, Values = [42, 43] } }],
        };

        Assert.Equal(expected, RestartRules.Restarts(new PodSpec { RestartPolicy = "Never" }, container, code, failed: true));
    }
}
