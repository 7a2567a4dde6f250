using Kip.Testing;
using Google.Protobuf;
using Kip.Agent.Pods;
using Kip.Agent.Probes;
using Kip.Agent.State;
using Kip.Agent.Status;
using Kip.Agents.Protocol;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging.Abstractions;
using Container = Kip.Kubernetes.Objects.Container;

namespace Kip.Agent.Tests.Support;

/// <summary>A pod worker on a scripted runtime under a clock that the test moves.</summary>
internal sealed class WorkerHarness : IAsyncDisposable
{
    public const string Uid = "uid-1";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(3);
    private readonly string _directory = System.IO.Directory.CreateTempSubdirectory("kip-worker-test-").FullName;
    private readonly List<PodEvent> _events = [];
    private CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private Task _watching = Task.CompletedTask;
    private PodStatus? _status;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WorkerHarness()
    {
        Runtime = new ScriptedRuntime(Time);
        Runtime.AddImage("docker.io/library/app:1");
        Start();
    }

    public VirtualClock Time { get; } = new();

    public ScriptedRuntime Runtime { get; }

    /// <summary>Where the pod's volumes lie, by name.</summary>
    public string VolumeDirectory => Path.Combine(_directory, "volumes", Uid, "volumes");

    public PodWorker Worker { get; private set; } = null!;

    /// <summary>Of the last report.</summary>
    public ulong Generation { get; private set; }

    public IReadOnlyList<PodEvent> Events
    {
        get
        {
            lock (_events)
            {
                return [.. _events];
            }
        }
    }

    public static Pod Pod(string restartPolicy, params Container[] containers) => new()
    {
        Metadata = new ObjectMeta { Name = "pod", Namespace = "default", Uid = Uid },
        Spec = new PodSpec { RestartPolicy = restartPolicy, TerminationGracePeriodSeconds = 30, Containers = [.. containers] },
    };

    public static Container Container(string name = "main") => new() { Name = name, Image = "app:1" };

    public Task ApplyAsync(Pod pod, params RegistryCredential[] credentials) => Worker.ApplyAsync(
        new ApplyPodRequest
        {
            Pod = ByteString.CopyFrom(KubernetesJson.SerializeToUtf8(pod)), PodAddress = "10.1.2.3", Credentials = { credentials },
        },
        CancellationToken.None);

    public Task StopAsync(double seconds) => Worker.StopAsync(Uid, TimeSpan.FromSeconds(seconds), CancellationToken.None);

    /// <summary>
    /// Waits, with the clock standing still, until the status fits. When nothing comes of it the clock goes on by the time after which the
    /// worker looks at the runtime again: it may have been looking when the test last moved the clock, and have seen the state before.
    /// </summary>
    public async Task<PodStatus> UntilAsync(string what, Func<PodStatus, bool> fits)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var changed = Volatile.Read(ref _changed).Task;
            if (_status is { } status && fits(status))
            {
                return status;
            }

            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                var text = _status is null ? "none" : System.Text.Encoding.UTF8.GetString(KubernetesJson.SerializeToUtf8(_status));
                throw new TimeoutException($"waited for {what}; calls: {string.Join(", ", Runtime.CallList())}; status: {text}");
            }

            if (await Task.WhenAny(changed, Task.Delay(Stall, TimeProvider.System, CancellationToken.None)) != changed)
            {
                Time.Advance(TimeSpan.FromSeconds(1));
            }
        }
    }

    /// <summary>Moves the clock in steps, each followed by some real time for the worker, until the status fits.</summary>
    /// <returns>How far the clock moved.</returns>
    public async Task<TimeSpan> AdvanceUntilAsync(string what, Func<bool> fits, TimeSpan? step = null)
    {
        var start = Time.GetUtcNow();
        var real = TimeProvider.System.GetTimestamp();
        while (!fits())
        {
            if (TimeProvider.System.GetElapsedTime(real) > Patience)
            {
                throw new TimeoutException($"waited for {what}; calls: {string.Join(", ", Runtime.CallList())}");
            }

            Time.Advance(step ?? TimeSpan.FromSeconds(1));
            await SettleAsync();
        }

        return Time.GetUtcNow() - start;
    }

    /// <summary>Gives the worker real time to do what it can do without the clock.</summary>
    public static Task SettleAsync() => Task.Delay(TimeSpan.FromMilliseconds(15), TimeProvider.System, CancellationToken.None);

    /// <summary>Ends the worker as kill -9 would and starts another one on the same state.</summary>
    public async Task RestartAsync()
    {
        await EndAsync();
        _stop = new CancellationTokenSource();
        _status = null;
        Start();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        System.IO.Directory.Delete(_directory, recursive: true);
    }

    private async Task EndAsync()
    {
        await _stop.CancelAsync();
        foreach (var task in (Task[])[_running, _watching])
        {
            try
            {
                await task;
            }
            catch (OperationCanceledException)
            {
                // Cancelled by the line above.
            }
        }

        _stop.Dispose();
    }

    private void Start()
    {
        var board = new StatusBoard(Time);
        Worker = new PodWorker(new PodWorkerParts
        {
            Runtime = Runtime,
            Network = new PodNetwork(
                Path.Combine(_directory, "cni"), Runtime, Time, NullLogger<PodNetwork>.Instance, FakeSysctls()),
            Images = new ImagePuller(Runtime, board, Task.CompletedTask, Time),
            Actions = new ContainerActions(Runtime, Time),
            State = new StateDirectory(Path.Combine(_directory, "state")),
            Board = board,
            Cell = new Cell
            {
                LogDirectory = Path.Combine(_directory, "log"), VolumeDirectory = Path.Combine(_directory, "volumes"), CgroupParent = "/kip", HostIP = "10.0.0.1", MemoryBytes = 1L << 30,
            },
            Time = Time,
            Logger = NullLogger<PodWorker>.Instance,
        });
        _running = Worker.RunAsync(_stop.Token);
        _watching = WatchAsync(board, _stop.Token);
    }

    private string FakeSysctls()
    {
        var root = Path.Combine(_directory, "sysctl");
        System.IO.Directory.CreateDirectory(Path.Combine(root, "conf", "all"));
        return root;
    }

    private async Task WatchAsync(StatusBoard board, CancellationToken cancellationToken)
    {
        await foreach (var update in board.WatchAsync(0, cancellationToken))
        {
            if (update.Event is not null)
            {
                lock (_events)
                {
                    _events.Add(update.Event);
                }
            }

            if (update.Report is not null)
            {
                Generation = update.Report.Generation;
                _status = KubernetesJson.DeserializePodStatus(update.Report.Status.Span);
            }

            Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
    }
}
