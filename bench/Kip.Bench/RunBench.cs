using System.Diagnostics;
using System.Globalization;

namespace Kip.Bench;

/// <summary>
/// From the start of <c>kip run</c> to the container's first output, beside the same done by hand: a containerd with an empty root in
/// namespaces of its own, the image imported, the container run by <c>ctr</c>. Rounds alternate.
/// </summary>
internal static class RunBench
{
    private static readonly string[] Own = ["agent ready", "enrolled", "image ready"];

    // What a person would type; the loop is how a person would wait.
    private const string ByHand = """
        set -e
        mount --make-rshared / && mount -t tmpfs tmpfs /run && mkdir /run/containerd
        ip link set lo up
        cat >"$1/containerd.toml" <<X
        version = 2
        root = "$1/root"
        state = "/run/containerd"
        disabled_plugins = ["io.containerd.grpc.v1.cri"]
        [grpc]
          address = "/run/containerd/containerd.sock"
        X
        containerd --config "$1/containerd.toml" >"$1/log" 2>&1 &
        until ctr version >/dev/null 2>&1; do sleep 0.01; done
        ctr image import --all-platforms "$2" >/dev/null
        ctr run --rm docker.io/library/busybox:1.35 hand echo "Hello by hand"
        """;

    public static async Task RunAsync(string root, int rounds)
    {
        Console.WriteLine($"kip run beside containerd by hand, {rounds} rounds, alternating; {Measured.Machine()}");
        var kip = new List<double>();
        var hand = new List<double>();
        var steps = new Dictionary<string, List<double>>();
        for (var round = 0; round <= rounds; round++)
        {
            var (kipTime, timeline) = await KipAsync(root);
            var handTime = await HandAsync(root);
            if (round == 0)
            {
                continue; // the first of each only warms the page cache
            }

            kip.Add(kipTime);
            hand.Add(handTime);
            foreach (var (step, time) in Steps(timeline))
            {
                (steps.TryGetValue(step, out var times) ? times : steps[step] = []).Add(time);
            }
        }

        Console.WriteLine($"by hand: start to first output     {Measured.Milliseconds(Measured.Median(hand))}");
        Console.WriteLine($"kip run: start to first output     {Measured.Milliseconds(Measured.Median(kip))}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ratio                              {Measured.Median(kip) / Measured.Median(hand),8:0.00}    (goal: at most 3)"));
        Console.WriteLine("kip's timeline, median of each step:");
        foreach (var (step, times) in steps)
        {
            Console.WriteLine($"  {step,-32} {Measured.Milliseconds(Measured.Median(times))}");
        }

        var own = Own.Sum(step => Measured.Median(steps[step]));
        Console.WriteLine($"Kip's own (agent start, enrolment, image check) {Measured.Milliseconds(own)}    (goal: at most 200 ms)");
    }

    private static Task<(double FirstOutput, string Errors)> KipAsync(string root) =>
        Measured.FirstOutputAsync(new ProcessStartInfo(Path.Combine(root, "artifacts", "kip", "kip"), ["run", Path.Combine(root, "samples", "pods", "hello.yaml")]));

    private static async Task<double> HandAsync(string root)
    {
        var folder = Directory.CreateTempSubdirectory("kip-bench-").FullName;
        try
        {
            var start = new ProcessStartInfo(
                "unshare",
                ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--mount-proc", "--kill-child", "sh", "-c", ByHand, "sh", folder, Path.Combine(root, "artifacts", "images", "busybox.tar")]);
            return (await Measured.FirstOutputAsync(start)).FirstOutput;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // "enrolled             0.063 s    1.422 s  detail"
    private static IEnumerable<(string Step, double Milliseconds)> Steps(string timeline) =>
        from line in timeline.Split('\n')
        where line.Length >= 28 && line[27] == 's' && line[0] is not ('!' or ' ')
        select (line[..18].TrimEnd(), double.Parse(line.AsSpan(18, 8), NumberStyles.Float, CultureInfo.InvariantCulture) * 1000);
}
