using Kip.Kubernetes.Client;
using Kip.Kubernetes.Informers;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests.Informers;

public sealed class InformerTests(ITestOutputHelper output)
{
    private readonly VirtualClock _clock = new();
    private readonly FakeKubernetesClient _api = new();
    private readonly List<string> _changes = [];
    private readonly TaskCompletionSource _start = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public Task Run_ObjectsThatAreThereAndChange_AreTold() => RunAsync(async informer =>
    {
        await PutAsync("a", "1");
        await PutAsync("b", "1");
        Assert.False(informer.HasSynced);
        await StartAsync(informer);
        await PutAsync("a", "2");
        await DeleteAsync("b");
        await PutAsync("c", "1");
        await ToldAsync("+a 1", "+b 1", "a 1 2", "-b 1", "+c 1");
        Assert.Equal(["a", "c"], informer.List().Select(map => map.Metadata.Name).Order());
        Assert.Equal("2", Value(informer.Get(new ObjectKey("n", "a"))));
        Assert.Null(informer.Get(new ObjectKey("n", "b")));
        Assert.All(informer.List(), map => Assert.Equal(("v1", "ConfigMap"), (map.ApiVersion, map.Kind)));
        Assert.Equal(["list", "watch"], _api.Calls.Where(call => call is "list" or "watch"));
    });

    [Fact]
    public Task Subscribe_Late_IsToldOfWhatIsThere() => RunAsync(async informer =>
    {
        await StartAsync(informer);
        await PutAsync("a", "1");
        await ToldAsync("+a 1");
        var late = new List<string>();
        informer.Subscribe(change => late.Add(Describe(change)));
        await PutAsync("a", "2");
        await ToldAsync("+a 1", "a 1 2");
        Assert.Equal(["+a 1", "a 1 2"], late);
    });

    [Fact]
    public Task WatchEnded_ByTheServer_GoesOnFromWhereItWas() => RunAsync(async informer =>
    {
        await PutAsync("a", "1");
        await StartAsync(informer);
        await PutAsync("a", "2");
        await ToldAsync("+a 1", "a 1 2");
        _api.EndWatches(null);
        await PutAsync("a", "3");
        await ToldAsync("+a 1", "a 1 2", "a 2 3");
        Assert.Single(_api.Calls, "list");
    });

    [Fact]
    public Task WatchCut_ByTheConnection_GoesOnAfterAPause() => RunAsync(async informer =>
    {
        await PutAsync("a", "1");
        await StartAsync(informer);
        var began = _clock.Elapsed;
        _api.EndWatches(new KubernetesApiException("cut", inner: null));
        await PutAsync("a", "2");
        await ToldAsync("+a 1", "a 1 2");
        Assert.InRange(_clock.Elapsed - began, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(200));
        Assert.Single(_api.Calls, "list");
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task HistoryGone_ObjectsChangedMeanwhile_TheDifferencesAreTold(bool whileWatching) => RunAsync(async informer =>
    {
        await PutAsync("stays", "1");
        await PutAsync("changes", "1");
        await PutAsync("goes", "1");
        await PutAsync("is-replaced", "1");
        await StartAsync(informer);
        var gate = new TaskCompletionSource();
        _api.Before = (verb, _) => verb is "watch" or "list" ? gate.Task : Task.CompletedTask;
        _api.EndWatches(whileWatching ? FakeKubernetesClient.Refusal(410, "Expired") : null);
        await PutAsync("changes", "2");
        await DeleteAsync("goes");
        await DeleteAsync("is-replaced");
        await PutAsync("is-replaced", "2");
        await PutAsync("comes", "1");
        _api.Compact();
        gate.SetResult();
        await _clock.AdvanceUntilAsync(() => Told().Length >= 9);
        Assert.Equal(
            new[] { "changes 1 2", "-goes 1", "-is-replaced 1", "+is-replaced 2", "+comes 1" }.Order(),
            Told()[4..].Order());
        Assert.True(Array.IndexOf(Told(), "-is-replaced 1") < Array.IndexOf(Told(), "+is-replaced 2"));
        await PutAsync("stays", "2");
        await _clock.AdvanceUntilAsync(() => Told().Contains("stays 1 2"));
    });

    [Fact]
    public Task ApiServerGone_ForMinutes_IsAskedLessAndLessOftenAndThenFollowed() => RunAsync(async informer =>
    {
        await StartAsync(informer);
        var gone = true;
        _api.Before = (verb, _) => gone && (verb is "list" or "watch") ? throw new KubernetesApiException("refused", inner: null) : Task.CompletedTask;
        _api.EndWatches(new KubernetesApiException("cut", inner: null));
        await PutAsync("a", "1");
        var before = _api.Calls.Count;
        await Task.Delay(TimeSpan.FromMinutes(5), _clock);
        Assert.InRange(_api.Calls.Count - before, 10, 35);
        Assert.Empty(Told());
        gone = false;
        var began = _clock.Elapsed;
        await ToldAsync("+a 1");
        Assert.InRange(_clock.Elapsed - began, TimeSpan.Zero, TimeSpan.FromSeconds(30));
    });

    [Fact]
    public Task PutOff_WithATime_ItIsObeyed() => RunAsync(async informer =>
    {
        var calls = 0;
        _api.Before = (verb, _) => verb == "list" && calls++ == 0 ? throw FakeKubernetesClient.Refusal(429, "TooManyRequests", TimeSpan.FromSeconds(20)) : Task.CompletedTask;
        await StartAsync(informer);
        Assert.Equal(TimeSpan.FromSeconds(20), _clock.Elapsed);
    });

    [Fact]
    public Task WatchEnded_AtOnceEachTime_IsNotAskedWithoutPause() => RunAsync(async informer =>
    {
        await StartAsync(informer);
        for (var i = 0; i < 200; i++)
        {
            _api.EndWatches(null);
            await Task.Delay(TimeSpan.FromMilliseconds(100), _clock);
        }

        Assert.InRange(_api.Calls.Count(call => call == "watch"), 2, 40);
    });

    [Fact]
    public Task Handler_Throwing_HoldsNothingUp() => RunAsync(async informer =>
    {
        informer.Subscribe(_ => throw new InvalidOperationException("bad handler"));
        var last = new List<string>();
        informer.Subscribe(change => last.Add(Describe(change)));
        await StartAsync(informer);
        await PutAsync("a", "1");
        await ToldAsync("+a 1");
        Assert.Equal(["+a 1"], last);
    });

    [Fact]
    public Task ByIndex_ObjectsThatChange_AreFoundUnderTheirValues() => RunAsync(async informer =>
    {
        await PutAsync("a", "x,y");
        await PutAsync("b", "y");
        await StartAsync(informer);
        Assert.Equal((1, 2, 0), (Found("x"), Found("y"), Found("z")));
        await PutAsync("a", "z");
        await _clock.AdvanceUntilAsync(() => Found("z") == 1);
        Assert.Equal((0, 1), (Found("x"), Found("y")));
        await DeleteAsync("b");
        await _clock.AdvanceUntilAsync(() => Found("y") == 0);
        Assert.Throws<ArgumentException>(() => informer.ByIndex("other", "x"));
        int Found(string value) => informer.ByIndex("values", value).Count;
    });

    [Fact]
    public Task RandomFaults_InTheEndTheCopyIsTheTruth()
    {
        var seed = Environment.GetEnvironmentVariable("KIP_TEST_SEED") is { } given ? int.Parse(given, null) : Random.Shared.Next();
        output.WriteLine($"KIP_TEST_SEED={seed}");
        return RunAsync(async informer =>
        {
            var random = new Random(seed);
            var truth = new Dictionary<string, string>();
            var faults = 0;
            var told = new Dictionary<string, string>();
            informer.Subscribe(change =>
            {
                var key = change.Key.Name;
                faults += told.ContainsKey(key) == (change.Old is not null) ? 0 : 1;
                if (change.New is null)
                {
                    told.Remove(key);
                }
                else
                {
                    told[key] = Value(change.New);
                }
            });
            await StartAsync(informer);
            for (var i = 0; i < 300; i++)
            {
                var name = $"m{random.Next(8)}";
                switch (random.Next(10))
                {
                    case < 6:
                        await PutAsync(name, truth[name] = $"{i}");
                        break;
                    case 6 when truth.Remove(name):
                        await DeleteAsync(name);
                        break;
                    case 7:
                        _api.EndWatches(random.Next(2) == 0 ? null : new KubernetesApiException("cut", inner: null));
                        break;
                    case 8:
                        _api.Compact();
                        _api.EndWatches(FakeKubernetesClient.Refusal(410, "Gone"));
                        break;
                    default:
                        await Task.Delay(TimeSpan.FromMilliseconds(random.Next(300)), _clock);
                        break;
                }
            }

            await _clock.AdvanceUntilAsync(() => IsTruth(informer.List().ToDictionary(map => map.Metadata.Name!, Value), truth));
            Assert.True(IsTruth(told, truth));
            Assert.Equal(0, faults);
        });
    }

    private static bool IsTruth(Dictionary<string, string> known, Dictionary<string, string> truth) => known.Count == truth.Count && truth.All(pair => known.GetValueOrDefault(pair.Key) == pair.Value);

    private static string Value(ConfigMap? map) => map!.Data!["v"];

    private static string Describe(ObjectChange<ConfigMap> change) => change switch
    {
        { Old: null } => $"+{change.Key.Name} {Value(change.New)}",
        { New: null } => $"-{change.Key.Name} {Value(change.Old)}",
        _ => $"{change.Key.Name} {Value(change.Old)} {Value(change.New)}",
    };

    private Task RunAsync(Func<Informer<ConfigMap>, Task> test) => _clock.RunAsync(async () =>
    {
        var informer = new Informer<ConfigMap>(
            _api,
            Resources.ConfigMaps,
            new() { Indexes = new Dictionary<string, Func<ConfigMap, IEnumerable<string>>> { ["values"] = map => map.Data!["v"].Split(',') } },
            _clock,
            new Random(1),
            NullLogger.Instance);
        informer.Subscribe(change =>
        {
            lock (_changes)
            {
                _changes.Add(Describe(change));
            }
        });
        using var stop = new CancellationTokenSource();
        var run = Task.Run(async () =>
        {
            await _start.Task;
            await informer.RunAsync(stop.Token);
        });
        await test(informer);
        await stop.CancelAsync();
        await run;
    });

    private string[] Told()
    {
        lock (_changes)
        {
            return [.. _changes];
        }
    }

    private async Task ToldAsync(params string[] changes)
    {
        await _clock.AdvanceUntilAsync(() => Told().Length >= changes.Length);
        Assert.Equal(changes, Told());
    }

    private async Task StartAsync(Informer<ConfigMap> informer)
    {
        _start.SetResult();
        await informer.WaitForSyncAsync(default);
        await _clock.AdvanceUntilAsync(() => _api.Calls.Contains("watch"));
    }

    private async Task PutAsync(string name, string value)
    {
        var key = new ObjectKey("n", name);
        try
        {
            var map = await _api.GetAsync(Resources.ConfigMaps, key, default);
            map.Data!["v"] = value;
            await _api.ReplaceAsync(Resources.ConfigMaps, map, null, default);
        }
        catch (KubernetesApiException e) when (e.IsNotFound)
        {
            await _api.CreateAsync(Resources.ConfigMaps, new() { Metadata = { Namespace = "n", Name = name }, Data = new() { ["v"] = value } }, default);
        }
    }

    private Task DeleteAsync(string name) => _api.DeleteAsync(Resources.ConfigMaps, new ObjectKey("n", name), null, default);
}
