using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Kubernetes.Objects;

namespace Kip.Testing.Tests;

/// <summary>Requests, records and pods for the tests of this project.</summary>
internal static class Launches
{
    public static LaunchRequest Make(string controllerId = "controller-1", string? token = null) => new()
    {
        LaunchToken = token ?? Guid.NewGuid().ToString("n"),
        InstanceType = "sim.small",
        Zone = "sim-1a",
        ImageId = "image-default",
        DiskBytes = 1L << 30,
        UserData = new CellBootConfiguration { CellId = "cell-1", ControllerCa = "", EnrolmentToken = ScriptedAgent.TokenOf(MakeCell(null)) }.ToJson(),
        Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = controllerId, [InstanceTags.CellId] = "cell-1" },
    };

    public static CellRecord MakeCell(string? address, string id = "cell-1", CellState state = CellState.Booting, string launch = "") => new()
    {
        Id = id,
        Owner = "test",
        State = state,
        StateSince = default,
        CreatedAt = default,
        Pod = new PodReference("default", "pod", "uid-1"),
        LaunchToken = launch,
        InstanceType = "sim.small",
        Zone = "sim-1a",
        Address = address,
    };

    public static PodAssignment MakePod(string uid = "uid-1", string? restartPolicy = null, params string[] containers) => new(
        new Pod
        {
            Metadata = new ObjectMeta { Name = "pod", Namespace = "default", Uid = uid },
            Spec = new PodSpec
            {
                RestartPolicy = restartPolicy ?? RestartPolicy.Never,
                Containers = [.. (containers is [] ? ["main"] : containers).Select(name => new Container { Name = name, Image = "busybox" })],
            },
        },
        null,
        []);
}
