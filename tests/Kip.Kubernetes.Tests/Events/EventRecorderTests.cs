using Kip.Kubernetes.Client;
using Kip.Kubernetes.Events;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Microsoft.Extensions.Logging;

namespace Kip.Kubernetes.Tests.Events;

public sealed class EventRecorderTests
{
    private static readonly Pod Pod = new()
    {
        ApiVersion = "v1", Kind = "Pod", Metadata = { Namespace = "n", Name = "p", Uid = "u", ResourceVersion = "5" },
    };

    private readonly VirtualClock _clock = new();
    private readonly FakeKubernetesClient _api = new();
    private readonly CollectingLogger _log = new();

    [Fact]
    public Task Record_OneEvent_SaysWhoWhatAndWhen() => RunAsync(async recorder =>
    {
        recorder.Record(Pod.ToReference("spec.containers{c}"), EventType.Warning, "Failed", "no such image");
        var written = Assert.Single(await WrittenAsync(1));
        Assert.Matches("^p\\.[0-9a-f]{15}$", written.Metadata.Name);
        Assert.Equal(
            ("n", "Warning", "Failed", "no such image", 1, "kip", "node-1"),
            (written.Metadata.Namespace, written.Type, written.Reason, written.Message, written.Count, written.Source!.Component, written.Source.Host));
        Assert.Equal(
            ("v1", "Pod", "n", "p", "u", "5", "spec.containers{c}"),
            (written.InvolvedObject.ApiVersion, written.InvolvedObject.Kind, written.InvolvedObject.Namespace, written.InvolvedObject.Name,
                written.InvolvedObject.Uid, written.InvolvedObject.ResourceVersion, written.InvolvedObject.FieldPath));
        Assert.Equal((_clock.GetUtcNow(), _clock.GetUtcNow()), (written.FirstTimestamp, written.LastTimestamp));
    });

    [Fact]
    public Task Record_FarTooManyNormalEvents_AreDroppedAndCounted_WarningsAreNot() => RunAsync(async recorder =>
    {
        for (var i = 0; i < 150; i++)
        {
            recorder.Record(new() { Kind = "Pod", Namespace = "n", Name = $"p{i}" }, EventType.Normal, "Started", "");
        }

        recorder.Record(Pod.ToReference(), EventType.Warning, "Failed", "");

        Assert.Equal(50, recorder.Dropped);
        Assert.Single(await WrittenAsync(101), static e => e.Type == EventType.Warning);
    });

    [Fact]
    public Task Record_ObjectOfTheCluster_IsKeptInDefault() => RunAsync(async recorder =>
    {
        recorder.Record(new() { Kind = "Node", Name = "x" }, EventType.Normal, "Ready", "");
        Assert.Equal("default", Assert.Single(await WrittenAsync(1)).Metadata.Namespace);
    });

    [Fact]
    public Task Record_TheSameAgain_RaisesTheCount() => RunAsync(async recorder =>
    {
        for (var i = 0; i < 3; i++)
        {
            recorder.Record(Pod.ToReference(), EventType.Normal, "Pulled", "it is there");
            await Task.Delay(TimeSpan.FromSeconds(10), _clock);
        }

        var written = Assert.Single(await WrittenAsync(1));
        Assert.Equal((3, TimeSpan.FromSeconds(20)), (written.Count, written.LastTimestamp!.Value - written.FirstTimestamp!.Value));
    });

    [Fact]
    public Task Record_TheSameAgainAfterTheApiServerForgotIt_IsWrittenAnew() => RunAsync(async recorder =>
    {
        recorder.Record(Pod.ToReference(), EventType.Normal, "Pulled", "it is there");
        await _api.DeleteAsync(Resources.Events, ObjectKey.Of(Assert.Single(await WrittenAsync(1))), null, default);
        recorder.Record(Pod.ToReference(), EventType.Normal, "Pulled", "it is there");
        Assert.Equal(1, Assert.Single(await WrittenAsync(1)).Count);
    });

    [Fact]
    public Task Record_ManyThatDifferInTheirMessageOnly_BecomeOne() => RunAsync(async recorder =>
    {
        for (var i = 1; i <= 20; i++)
        {
            recorder.Record(Pod.ToReference(), EventType.Warning, "Unhealthy", $"answer {i}");
        }

        await _clock.AdvanceUntilAsync(() => _api.Calls.Count(call => call is "create" or "patch") >= 20);
        var written = await WrittenAsync(10);
        Assert.Equal(9, written.Count(e => e.Count == 1));
        Assert.Equal(11, written.Single(e => e.Count != 1).Count);
        Assert.Equal("(combined from similar events): answer 20", written.Single(e => e.Count != 1).Message);
    });

    [Fact]
    public Task Record_TooManyAboutOneObject_AreSilencedOthersAreNot() => RunAsync(async recorder =>
    {
        for (var i = 0; i < 90; i++)
        {
            recorder.Record(Pod.ToReference(), EventType.Normal, $"Reason{i}", "x");
        }

        recorder.Record(new() { Kind = "Pod", Namespace = "n", Name = "other" }, EventType.Normal, "Other", "x");
        Assert.Equal(26, (await WrittenAsync(26)).Count);
        await Task.Delay(TimeSpan.FromMinutes(5), _clock);
        recorder.Record(Pod.ToReference(), EventType.Normal, "Later", "x");
        recorder.Record(Pod.ToReference(), EventType.Normal, "TooLate", "x");
        Assert.Contains(await WrittenAsync(27), e => e.Reason == "Later");
    });

    [Fact]
    public Task Record_ApiServerAway_IsWrittenWhenItIsBackAndWhatCannotWaitIsCounted() => RunAsync(
        async recorder =>
        {
            var away = true;
            _api.Before = (verb, _) => away && verb == "create" ? throw new KubernetesApiException("refused", inner: null) : Task.CompletedTask;
            recorder.Record(Pod.ToReference(), EventType.Normal, "First", "x");
            await _clock.AdvanceUntilAsync(() => _api.Calls.Contains("create"));
            for (var i = 0; i < 10; i++)
            {
                recorder.Record(Pod.ToReference(), EventType.Normal, $"Reason{i}", "x");
            }

            Assert.Equal(7, recorder.Dropped);
            away = false;
            Assert.Equal(4, (await WrittenAsync(4)).Count);
            await _clock.AdvanceUntilAsync(() => _log.Messages.Contains("7 events were dropped, too many were waiting"));
        },
        capacity: 4);

    [Fact]
    public Task Record_AnswerLost_LeavesOneEvent() => RunAsync(async recorder =>
    {
        var lost = false;
        _api.After = verb =>
        {
            if (verb == "create" && !lost)
            {
                lost = true;
                throw new KubernetesApiException("cut", inner: null);
            }
        };
        recorder.Record(Pod.ToReference(), EventType.Normal, "Once", "x");
        recorder.Record(Pod.ToReference(), EventType.Normal, "Next", "x");
        Assert.Equal(["Next", "Once"], (await WrittenAsync(2)).Select(e => e.Reason).Order());
    });

    [Fact]
    public Task Record_Refused_IsLoggedAndTheNextWritten() => RunAsync(async recorder =>
    {
        var refused = false;
        _api.Before = (verb, _) =>
        {
            if (verb == "create" && !refused)
            {
                refused = true;
                throw FakeKubernetesClient.Refusal(403, "Forbidden");
            }

            return Task.CompletedTask;
        };
        recorder.Record(Pod.ToReference(), EventType.Normal, "First", "x");
        recorder.Record(Pod.ToReference(), EventType.Normal, "Second", "x");
        Assert.Equal("Second", Assert.Single(await WrittenAsync(1)).Reason);
        Assert.Contains("Event First about Pod p could not be written: 403 Forbidden", _log.Messages);
    });

    [Fact]
    public async Task Run_Cancelled_WritesWhatWaits()
    {
        var recorder = Create(1000);
        for (var i = 0; i < 10; i++)
        {
            recorder.Record(new() { Kind = "Pod", Name = $"p{i}" }, EventType.Normal, "Ended", "x");
        }

        await recorder.RunAsync(new CancellationToken(canceled: true));
        Assert.Equal(10, (await _api.ListAsync(Resources.Events, "", null, default)).Items.Count);
    }

    [Fact]
    public Task Record_LongNameAndMessage_AreShortened() => RunAsync(async recorder =>
    {
        recorder.Record(new() { Kind = "Pod", Namespace = "n", Name = new string('a', 253) }, EventType.Normal, "Long", new string('b', 5000));
        var written = Assert.Single(await WrittenAsync(1));
        Assert.Equal((253, 1024), (written.Metadata.Name!.Length, written.Message!.Length));
    });

    private EventRecorder Create(int capacity) =>
        new(_api, new() { Component = "kip", Host = "node-1", Capacity = capacity }, _clock, new Random(1), _log);

    private Task RunAsync(Func<EventRecorder, Task> test, int capacity = 1000) => _clock.RunAsync(async () =>
    {
        var recorder = Create(capacity);
        using var stop = new CancellationTokenSource();
        var run = Task.Run(() => recorder.RunAsync(stop.Token));
        await test(recorder);
        await stop.CancelAsync();
        await run;
    });

    private async Task<List<KubernetesEvent>> WrittenAsync(int count)
    {
        List<KubernetesEvent> events = [];
        await _clock.AdvanceUntilAsync(() => (events = _api.ListAsync(Resources.Events, "", null, default).Result.Items).Count >= count);
        return events;
    }

    private sealed class CollectingLogger : ILogger<EventRecorder>
    {
        private readonly List<string> _messages = [];

        public IReadOnlyList<string> Messages
        {
            get
            {
                lock (_messages)
                {
                    return [.. _messages];
                }
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_messages)
            {
                _messages.Add(formatter(state, exception));
            }
        }
    }
}
