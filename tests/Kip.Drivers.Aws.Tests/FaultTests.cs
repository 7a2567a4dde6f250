using System.Net;

namespace Kip.Drivers.Aws.Tests;

/// <summary>A bad network and a bad day of EC2's, between the driver and moto: the failure is what it is, and no instance gets lost.</summary>
[Collection(MotoServer.Collection)]
public sealed class FaultTests(MotoServer server) : IDisposable
{
    // More than AWSSDK.Core tries by itself.
    private const int Always = 20;

    private readonly IdempotentMoto _moto = new(server);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(2));

    public void Dispose()
    {
        _moto.Dispose();
        _limit.Dispose();
    }

    public static TheoryData<string> Faults => [.. Spoilt.Keys];

    private static Dictionary<string, (DriverErrorKind Kind, Fault Fault)> Spoilt { get; } = new()
    {
        ["no answer after it was accepted"] = (DriverErrorKind.Transient, static async (_, forward) =>
        {
            (await forward()).Dispose();
            throw new TaskCanceledException("the request timed out", new TimeoutException());
        }),
        ["connection lost before it arrived"] = (DriverErrorKind.Transient, static (_, _) => throw new HttpRequestException("connection reset")),
        ["500 after it was accepted"] = (DriverErrorKind.Transient, static async (_, forward) =>
        {
            (await forward()).Dispose();
            return FakeAws.Error("InternalError", "An internal error has occurred", HttpStatusCode.InternalServerError);
        }),
        ["a proxy's error page"] = (DriverErrorKind.Transient, static (_, _) => Task.FromResult(FakeAws.Xml(HttpStatusCode.BadGateway, "<html>Bad gateway"))),
        ["throttled"] = (DriverErrorKind.Throttled, static (_, _) => Task.FromResult(FakeAws.Error("RequestLimitExceeded", "Request limit exceeded.", HttpStatusCode.ServiceUnavailable))),
        ["half an answer"] = (DriverErrorKind.Transient, static (_, forward) => RewriteAsync(forward, static text => text[..(text.Length / 2)])),
        ["an answer that is no XML"] = (DriverErrorKind.Transient, static (_, forward) => RewriteAsync(forward, static text => "&" + text)),
        ["an answer without a body"] = (DriverErrorKind.Transient, static (_, forward) => RewriteAsync(forward, static _ => "")),
        ["credentials that expire"] = (DriverErrorKind.Unauthorized, static (_, _) => Task.FromResult(FakeAws.Error("ExpiredToken", "The security token included in the request is expired", HttpStatusCode.Forbidden))),
    };

    [MotoTheory, MemberData(nameof(Faults))]
    public async Task Launch_Fault_IsWhatItIsAndTheNextTryFindsOrMakesTheOneInstance(string fault)
    {
        using var driver = _moto.MakeDriver(NewController());
        var request = await MakeRequestAsync(driver);
        _moto.Spoil("RunInstances", Always, Spoilt[fault].Fault);

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.LaunchAsync(request, _limit.Token));
        _moto.Spoil("RunInstances", 0, Spoilt[fault].Fault);
        var instance = await driver.LaunchAsync(request, _limit.Token);

        Assert.Equal(Spoilt[fault].Kind, error.Kind);
        Assert.StartsWith("cannot launch a t3.nano in us-east-1a: ", error.Message, StringComparison.Ordinal);
        Assert.Equal(instance.Id, Assert.Single(await driver.ListAsync(_limit.Token)).Id);
        await EndAsync(driver);
    }

    [MotoTheory, MemberData(nameof(Faults))]
    public async Task Launch_FaultAndGivenUp_IsFoundByTheListAndEnded(string fault)
    {
        var controller = NewController();
        using (var killed = _moto.MakeDriver(controller))
        {
            var request = await MakeRequestAsync(killed);
            _moto.Spoil("RunInstances", Always, Spoilt[fault].Fault);
            await Assert.ThrowsAsync<DriverException>(() => killed.LaunchAsync(request, _limit.Token));
        }

        using var driver = _moto.MakeDriver(controller);
        await EndAsync(driver);
    }

    [MotoTheory, MemberData(nameof(Faults))]
    public async Task List_Fault_IsNoListRatherThanAShortOne(string fault)
    {
        using var driver = _moto.MakeDriver(NewController());
        await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);
        _moto.Spoil("DescribeInstances", Always, Spoilt[fault].Fault);

        var error = await Assert.ThrowsAsync<DriverException>(() => driver.ListAsync(_limit.Token));
        _moto.Spoil("DescribeInstances", 0, Spoilt[fault].Fault);

        Assert.Equal(Spoilt[fault].Kind, error.Kind);
        Assert.Single(await driver.ListAsync(_limit.Token));
        await EndAsync(driver);
    }

    [MotoTheory, MemberData(nameof(Faults))]
    public async Task Terminate_Fault_IsWhatItIsAndTheNextTryEndsIt(string fault)
    {
        using var driver = _moto.MakeDriver(NewController());
        var instance = await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);
        _moto.Spoil("TerminateInstances", Always, Spoilt[fault].Fault);

        // What EC2 answers to a termination says nothing that is needed, so that half of it, or none, is as good.
        var error = await Record.ExceptionAsync(() => driver.TerminateAsync([instance.Id], _limit.Token));
        _moto.Spoil("TerminateInstances", 0, Spoilt[fault].Fault);

        Assert.True(error is null or DriverException, $"{error}");
        Assert.Equal(Spoilt[fault].Kind, ((DriverException?)error)?.Kind ?? Spoilt[fault].Kind);
        await EndAsync(driver);
    }

    [MotoFact]
    public async Task Terminate_ListIsBehind_EndsWhatThisProcessLaunched()
    {
        using var driver = _moto.MakeDriver(NewController());
        var instance = await driver.LaunchAsync(await MakeRequestAsync(driver), _limit.Token);
        _moto.Spoil("DescribeInstances", Always, static (_, _) => Task.FromResult(FakeAws.Xml(HttpStatusCode.OK, "<r><reservationSet/></r>")));

        Assert.Empty(await driver.ListAsync(_limit.Token));
        await driver.TerminateAsync([instance.Id], _limit.Token);
        _moto.Spoil("DescribeInstances", 0, static (_, forward) => forward());

        Assert.Equal(InstanceState.Terminated, Assert.Single(await driver.ListAsync(_limit.Token)).State);
    }

    [MotoFact]
    public async Task Launch_GivenUpByTheCaller_EndsAtOnce()
    {
        using var driver = _moto.MakeDriver(NewController());
        var request = await MakeRequestAsync(driver);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_limit.Token);
        _moto.Spoil("RunInstances", 1, async (cancellationToken, _) =>
        {
            await stop.CancelAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            throw new InvalidOperationException("it waited for ever");
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => driver.LaunchAsync(request, stop.Token));
    }

    private static async Task<HttpResponseMessage> RewriteAsync(Func<Task<HttpResponseMessage>> forward, Func<string, string> rewrite)
    {
        using var response = await forward();
        return FakeAws.Xml(response.StatusCode, rewrite(await response.Content.ReadAsStringAsync()));
    }

    private static string NewController() => $"fault-{Guid.NewGuid():n}"[..20];

    /// <summary>Ends all that a controller has, as its collector does, and fails if something still runs.</summary>
    private async Task EndAsync(AwsDriver driver)
    {
        _moto.Spoil("", 0, static (_, forward) => forward());
        await driver.TerminateAsync([.. (await driver.ListAsync(_limit.Token)).Select(instance => instance.Id)], _limit.Token);
        Assert.All(await driver.ListAsync(_limit.Token), instance => Assert.Equal(InstanceState.Terminated, instance.State));
    }

    private async Task<LaunchRequest> MakeRequestAsync(AwsDriver driver) => FakeAws.MakeRequest() with
    {
        LaunchToken = Guid.NewGuid().ToString("n"),
        ImageId = await driver.ResolveImageAsync("", _limit.Token),
        Tags = new Dictionary<string, string>(FakeAws.MakeRequest().Tags) { [InstanceTags.ControllerId] = driver.Description.ControllerId },
    };
}
