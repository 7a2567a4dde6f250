using Kip.Kubernetes.Objects;
using Kip.VirtualKubelet.Pods;

namespace Kip.VirtualKubelet.Tests.Pods;

public sealed class PodReadinessTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Of_PodWithoutGates_IsTheSame()
    {
        var status = Running();

        Assert.Same(status, PodReadiness.Of(status, new Pod { Spec = new PodSpec() }, Now));
        Assert.Same(status, PodReadiness.Of(status, null, Now));
    }

    [Fact]
    [PodField("spec.readinessGates")]
    public void Of_GateWithoutItsCondition_IsNotReadyInTheKubeletsWords()
    {
        var ready = Ready(PodReadiness.Of(Running(), NewPod([]), Now));

        Assert.Equal(("False", "ReadinessGatesNotReady"), (ready.Status, ready.Reason));
        Assert.Equal("corresponding condition of pod readiness gate \"gate\" does not exist.", ready.Message);
        Assert.Equal(Now, ready.LastTransitionTime);
    }

    [Theory]
    [InlineData("False")]
    [InlineData("Unknown")]
    public void Of_GateWhoseConditionIsNotTrue_IsNotReadyInTheKubeletsWords(string condition)
    {
        var ready = Ready(PodReadiness.Of(Running(), NewPod([new PodCondition { Type = "gate", Status = condition }]), Now));

        Assert.Equal($"the status of pod readiness gate \"gate\" is not \"True\", but {condition}", ready.Message);
    }

    [Fact]
    [PodField("status.conditions[].lastTransitionTime")]
    public void Of_GateThatIsOpen_IsReadySinceItFirstWas()
    {
        var since = Now - TimeSpan.FromHours(1);
        var status = Running();
        var pod = NewPod([new PodCondition { Type = "gate", Status = "True" }, new PodCondition { Type = "Ready", Status = "True", LastTransitionTime = since }]);

        var ready = Ready(PodReadiness.Of(status, pod, Now));

        Assert.Equal(("True", null, null), (ready.Status, ready.Reason, ready.Message));
        Assert.Equal(since, ready.LastTransitionTime);
        Assert.Equal("ContainersNotReady", Ready(status).Reason); // what the cell said is not touched
    }

    [Fact]
    public void Of_ContainersThatAreNotReady_SaysThatAndNotTheGates()
    {
        var status = Running();
        var containers = status.Conditions!.Single(static c => c.Type == "ContainersReady");
        (containers.Status, containers.Reason, containers.Message) = ("False", "ContainersNotReady", "containers with unready status: [main]");

        var ready = Ready(PodReadiness.Of(status, NewPod([]), Now));

        Assert.Equal(("False", "ContainersNotReady", "containers with unready status: [main]"), (ready.Status, ready.Reason, ready.Message));
    }

    [Theory]
    [InlineData("True", "False", false)]
    [InlineData("True", "True", true)]
    public void IsTold_ByWhatTheApiServerHas(string gate, string ready, bool told)
    {
        var pod = NewPod(
            [
                new PodCondition { Type = "gate", Status = gate },
                new PodCondition { Type = "ContainersReady", Status = "True" },
                new PodCondition { Type = "Ready", Status = ready },
            ]);

        Assert.Equal(told, PodReadiness.IsTold(pod));
    }

    internal static Pod NewPod(List<PodCondition> conditions) => new()
    {
        Spec = new PodSpec { ReadinessGates = [new PodReadinessGate { ConditionType = "gate" }] },
        Status = new PodStatus { Conditions = conditions },
    };

    internal static PodStatus Running() => new()
    {
        Phase = PodPhase.Running,
        Conditions =
        [
            new PodCondition { Type = "ContainersReady", Status = "True" },
            new PodCondition { Type = "Ready", Status = "False", Reason = "ContainersNotReady" },
        ],
    };

    private static PodCondition Ready(PodStatus status) => status.Conditions!.Single(static c => c.Type == "Ready");
}
