using System.Net;
using Kip.Cells;
using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;
using Kip.Kubernetes.Tests.Client;
using Kip.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Core.Tests.Cells;

/// <summary>An API server that loses answers; what every store does is in <see cref="CellStoreTests"/>.</summary>
public sealed class KubernetesCellStoreTests
{
    private readonly VirtualClock _clock = new();
    private readonly FakeKubernetesClient _api = new();
    private readonly FakeKubernetesClient _other;

    public KubernetesCellStoreTests() => _other = _api.Another();

    [Theory]
    [InlineData(0)]
    [InlineData(500)]
    [InlineData(504)]
    public Task Add_AnswerLost_IsSettledByLooking(int code) => _clock.RunAsync(async () =>
    {
        _api.After = Once(code);

        var added = await Store(_api).AddAsync(CellStoreTests.Record("cell-a", "uid"), default);

        Assert.Equal(added, Assert.Single(await Store(_other).ListAsync(default)));
        Assert.Equal(["create", "create", "get"], _api.Calls);
    });

    [Fact]
    public Task Add_AnswerLostAndAnotherCellThere_Conflicts() => _clock.RunAsync(async () =>
    {
        await Store(_other).AddAsync(CellStoreTests.Record("cell-a", "uid"), default);
        _api.Before = FailsOnce();

        await Assert.ThrowsAsync<CellConflictException>(() => Store(_api).AddAsync(CellStoreTests.Record("cell-a", "uid"), default));
    });

    [Theory]
    [InlineData(0)]
    [InlineData(503)]
    public Task Update_AnswerLost_IsSettledByLookingAndTheNextOneWorks(int code) => _clock.RunAsync(async () =>
    {
        var store = Store(_api);
        var record = await store.AddAsync(CellStoreTests.Record("cell-a", "uid"), default);
        _api.After = Once(code);

        var second = await store.UpdateAsync(record with { State = CellState.Booting }, default);
        var third = await store.UpdateAsync(second with { State = CellState.Claimed }, default);

        Assert.Equal(3, third.Version);
        Assert.Equal(third, Assert.Single(await Store(_other).ListAsync(default)));
    });

    [Fact]
    public Task Update_CallLostAndAnotherWasFaster_Conflicts() => _clock.RunAsync(async () =>
    {
        var store = Store(_api);
        var record = await store.AddAsync(CellStoreTests.Record("cell-a", "uid"), default);
        var theirs = await Store(_other).UpdateAsync(record with { State = CellState.Booting }, default);
        _api.Before = FailsOnce();

        await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(record with { State = CellState.Booting }, default));

        Assert.Equal(theirs, Assert.Single(await store.ListAsync(default)));
    });

    [Fact]
    public Task UpdateAndDelete_SomebodyHasLabelledTheObject_AreNoConflict() => _clock.RunAsync(async () =>
    {
        var store = Store(_api);
        var record = await store.AddAsync(CellStoreTests.Record("cell-a", "uid"), default);
        await LabelAsync();

        record = await store.UpdateAsync(record with { State = CellState.Booting }, default);
        Assert.Equal(record, Assert.Single(await Store(_other).ListAsync(default)));
        await LabelAsync();
        await store.DeleteAsync(record, default);

        Assert.Empty(await store.ListAsync(default));

        async Task LabelAsync()
        {
            var there = await _other.GetAsync(CellObject.Resource, new ObjectKey("cell-a"), default);
            there.Metadata.Labels!["team"] = "a";
            await _other.ReplaceAsync(CellObject.Resource, there, null, default);
        }
    });

    [Fact]
    public Task Delete_AnotherHasWrittenTheRecord_Conflicts() => _clock.RunAsync(async () =>
    {
        var store = Store(_api);
        var record = await store.AddAsync(CellStoreTests.Record("cell-a", "uid"), default);
        await Store(_other).UpdateAsync(record, default); // as a host does that takes over: the same once more

        await Assert.ThrowsAsync<CellConflictException>(() => store.DeleteAsync(record, default));
        await Assert.ThrowsAsync<CellConflictException>(() => store.UpdateAsync(record, default));
    });

    [Fact]
    public Task Any_ApiServerAwayForHalfAnHour_WaitsForIt() => _clock.RunAsync(async () =>
    {
        var back = _clock.GetUtcNow() + TimeSpan.FromMinutes(30);
        _api.Before = (_, _) => _clock.GetUtcNow() < back ? throw new KubernetesApiException("connection refused", inner: null) : Task.CompletedTask;

        await Store(_api).AddAsync(CellStoreTests.Record("cell-a", "uid"), default);

        Assert.InRange(_clock.GetUtcNow() - back, TimeSpan.Zero, TimeSpan.FromSeconds(10));
    });

    [Fact]
    public async Task Any_Refused_IsToldAtOnce()
    {
        _api.Before = (_, _) => throw FakeKubernetesClient.Refusal(403, "Forbidden");

        var e = await Assert.ThrowsAsync<KubernetesApiException>(() => Store(_api).AddAsync(CellStoreTests.Record("cell-a", "uid"), default));

        Assert.Equal(HttpStatusCode.Forbidden, e.StatusCode);
    }

    [Fact]
    public void New_ControllerIdThatIsNoLabel_IsRefused() =>
        Assert.Throws<ArgumentException>(() => new KubernetesCellStore(_api, "no label!", _clock, NullLogger<KubernetesCellStore>.Instance));

    private KubernetesCellStore Store(FakeKubernetesClient api) => new(api, "kip-test", _clock, NullLogger<KubernetesCellStore>.Instance);

    private static Action<string> Once(int code)
    {
        var failed = false;
        return _ =>
        {
            if (!failed)
            {
                failed = true;
                throw Failure(code);
            }
        };
    }

    private static Func<string, CancellationToken, Task> FailsOnce()
    {
        var fail = Once(0);
        return (verb, _) =>
        {
            fail(verb);
            return Task.CompletedTask;
        };
    }

    private static KubernetesApiException Failure(int code) =>
        code == 0 ? new KubernetesApiException("the connection was cut", inner: null) : new KubernetesApiException($"{code}", (HttpStatusCode)code);
}
