using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Kip.Cells;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Testing;
using Kip.VirtualKubelet.Pods;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.VirtualKubelet.Tests.Pods;

public sealed class PodStatusWriterTests : IAsyncDisposable
{
    private static readonly PodReference Pod = new("default", "web", "uid-1");

    private readonly VirtualClock _clock = new();
    private readonly PatchesFake _client = new();
    private readonly PodStatusWriter _writer;
    private Pod? _known;

    public PodStatusWriterTests() => _writer = new PodStatusWriter(_client, _ => _known, _clock, NullLogger.Instance);

    public async ValueTask DisposeAsync() => await _writer.DisposeAsync();

    [Fact]
    public Task Set_Running_IsToldAtOnce() => _clock.RunAsync(async () =>
    {
        // On a busy machine the first call takes long to compile, which looks like a call that waits.
        using var hold = _clock.Hold();
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Running });
        await _writer.FlushAsync(Pod.Uid, CancellationToken.None);

        Assert.Equal([PodPhase.Running], _client.Phases);
        Assert.Equal(TimeSpan.Zero, _clock.Elapsed);
    });

    [Fact]
    public Task Set_PendingThenRunning_IsToldOnce() => _clock.RunAsync(async () =>
    {
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Pending });
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Running });
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(1));

        Assert.Equal([PodPhase.Running], _client.Phases);
    });

    [Fact]
    public Task Set_PendingThatLasts_IsToldWithin100Milliseconds() => _clock.RunAsync(async () =>
    {
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Pending });
        await _clock.AdvanceAsync(TimeSpan.FromMilliseconds(100));

        Assert.Equal([PodPhase.Pending], _client.Phases);
    });

    [Fact]
    public Task Flush_WhilePendingWaits_TellsItNow() => _clock.RunAsync(async () =>
    {
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Pending });
        await _writer.FlushAsync(Pod.Uid, CancellationToken.None);

        Assert.Equal([PodPhase.Pending], _client.Phases);
    });

    [Fact]
    public Task Set_RunningAfterFailed_IsNotTold() => _clock.RunAsync(async () =>
    {
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Failed });
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Running });
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(1));

        Assert.Equal([PodPhase.Failed], _client.Phases);
    });

    [Fact]
    public Task Set_AfterAChangeOfResources_TakesItsConditionBack() => _clock.RunAsync(async () =>
    {
        using var hold = _clock.Hold();
        var resizing = new PodStatus
        {
            Phase = PodPhase.Running, Resize = "InProgress", Conditions = [new() { Type = PodConditionType.Ready }, new() { Type = PodConditionType.PodResizeInProgress }],
        };
        _writer.Set(Pod, resizing);
        await _writer.FlushAsync(Pod.Uid, CancellationToken.None);
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Running, Conditions = [new() { Type = PodConditionType.Ready }] });
        await _writer.FlushAsync(Pod.Uid, CancellationToken.None);

        var last = _client.Statuses.Last();
        Assert.Equal("""[{"type":"Ready","status":""},{"type":"PodResizeInProgress","status":"","$patch":"delete"}]""", last["conditions"]!.ToJsonString());
        Assert.True(last.ContainsKey("resize"));
        Assert.Null(last["resize"]);
    });

    [Fact]
    public Task Set_OfPodThatIsForgotten_IsNotTold() => _clock.RunAsync(async () =>
    {
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Pending });
        _writer.Forget(Pod.Uid);
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(1));

        Assert.Empty(_client.Phases);
    });

    [Fact]
    public Task Set_WhileTheApiServerFails_IsRepeatedUntilItIsTaken() => _clock.RunAsync(async () =>
    {
        _client.Failures = 3;
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Running });
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(10));

        Assert.Equal([PodPhase.Running], _client.Phases);
        Assert.Equal(0, _client.Failures);
    });

    [Fact]
    public Task SetAgain_GateOpened_TellsThatThePodIsReady() => _clock.RunAsync(async () =>
    {
        _known = PodReadinessTests.NewPod(conditions: []);
        _writer.Set(Pod, PodReadinessTests.Running());
        await _writer.FlushAsync(Pod.Uid, CancellationToken.None);
        _known = PodReadinessTests.NewPod(conditions: [new PodCondition { Type = "gate", Status = "True" }]);
        _writer.SetAgain(Pod.Uid);
        await _writer.FlushAsync(Pod.Uid, CancellationToken.None);

        Assert.Equal(["False", "True"], _client.Ready);
    });

    [Fact]
    public Task Set_WhileTheApiServerIsOverloaded_WaitsAsLongAsItAsks() => _clock.RunAsync(async () =>
    {
        _client.Failures = 1;
        _client.RetryAfter = TimeSpan.FromMinutes(2);
        _writer.Set(Pod, new PodStatus { Phase = PodPhase.Running });
        await _clock.AdvanceAsync(TimeSpan.FromMinutes(2));
        Assert.Empty(_client.Phases);
        await _clock.AdvanceAsync(TimeSpan.FromSeconds(1));

        Assert.Equal([PodPhase.Running], _client.Phases);
    });

    /// <summary>An API server, faked, that takes patches of pods and nothing else.</summary>
    private sealed class PatchesFake : IKubernetesClient
    {
        private readonly ConcurrentQueue<string> _phases = new();

        private readonly ConcurrentQueue<string?> _ready = new();

        public IReadOnlyList<string> Phases => [.. _phases];

        public IReadOnlyList<string?> Ready => [.. _ready];

        public ConcurrentQueue<JsonObject> Statuses { get; } = new();

        public int Failures { get; set; }

        public TimeSpan? RetryAfter { get; set; }

        public Task PatchAsync<T>(ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
            where T : class, IKubernetesObject
        {
            if (Failures > 0)
            {
                Failures--;
                throw new KubernetesApiException("the API server is overloaded", HttpStatusCode.TooManyRequests, status: null, RetryAfter);
            }

            var status = JsonNode.Parse(patch.Body.Span)!["status"]!;
            Statuses.Enqueue(status.AsObject());
            _phases.Enqueue(status["phase"]!.GetValue<string>());
            _ready.Enqueue(status["conditions"]?.AsArray().Single(static c => (string?)c!["type"] == "Ready")!["status"]!.GetValue<string>());
            return Task.CompletedTask;
        }

        public Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
            where T : class, IKubernetesObject => throw new NotSupportedException();

        public Task<KubernetesList<T>> ListAsync<T>(ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
            where T : class, IKubernetesObject => throw new NotSupportedException();

        public IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(ResourceType<T> type, string @namespace, WatchOptions? options, CancellationToken cancellationToken)
            where T : class, IKubernetesObject => throw new NotSupportedException();

        public Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
            where T : class, IKubernetesObject => throw new NotSupportedException();

        public Task<TPart> CreateSubresourceAsync<T, TPart>(
            ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
            where T : class, IKubernetesObject
            where TPart : class, IKubernetesObject => throw new NotSupportedException();

        public Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
            where T : class, IKubernetesObject => throw new NotSupportedException();

        public Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
            where T : class, IKubernetesObject => throw new NotSupportedException();
    }
}
