using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Kip.Agents;
using Kip.Drivers;

namespace Kip.Testing;

/// <summary>
/// What one run of a check has: drivers of controller ids of its own, calls that are bounded and must keep the error rules, and
/// termination of all that it launched.
/// </summary>
internal sealed class CheckContext(DriverConformanceOptions options, CancellationToken cancellationToken)
{
    // With a pause that doubles each time, this is about 25 seconds with the default poll interval.
    private const int MostTries = 8;

    private readonly string _run = Guid.NewGuid().ToString("n")[..12];
    private readonly Lock _gate = new();
    private readonly Dictionary<string, HashSet<string>> _launched = [];
    private string? _imageId;

    public DriverConformanceOptions Options => options;

    public TimeProvider Clock => options.TimeProvider;

    public CancellationToken CancellationToken => cancellationToken;

    /// <summary>A controller id that nobody else uses.</summary>
    public string Controller(int number = 1) => string.Create(CultureInfo.InvariantCulture, $"conformance-{_run}-{number}");

    /// <summary>A new driver object: the first, or another process.</summary>
    public ICellDriver MakeDriver(int controller = 1)
    {
        var id = Controller(controller);
        lock (_gate)
        {
            _launched.TryAdd(id, []);
        }

        return options.CreateDriver(id);
    }

    public async Task<LaunchRequest> MakeRequestAsync(ICellDriver driver)
    {
        _imageId ??= await CallAsync("ResolveImageAsync(\"\")", Rules.ResolveImage, token => driver.ResolveImageAsync("", token));
        var cellId = $"cell-{Guid.NewGuid().ToString("n")[..10]}";
        return new LaunchRequest
        {
            LaunchToken = Guid.NewGuid().ToString("n"),
            InstanceType = options.InstanceType,
            Zone = options.Zone,
            CapacityType = options.CapacityType,
            ImageId = _imageId,
            DiskBytes = options.DiskBytes,
            UserData = options.UserData?.Invoke(cellId) ?? MakeUserData(cellId),
            Tags = new Dictionary<string, string>
            {
                [InstanceTags.ControllerId] = driver.Description.ControllerId,
                [InstanceTags.CellId] = cellId,
                [InstanceTags.Name] = cellId,
                [InstanceTags.PodNamespace] = "conformance",
                [InstanceTags.PodName] = "pod",
            },
        };
    }

    public async Task<Instance> LaunchAsync(ICellDriver driver, LaunchRequest? request = null)
    {
        request ??= await MakeRequestAsync(driver);
        var instance = await CallAsync("LaunchAsync", Rules.LaunchFailed, token => driver.LaunchAsync(request, token));
        Note(driver, instance);
        return instance;
    }

    /// <summary>Launches an instance and waits until it runs; returns its id.</summary>
    public async Task<string> RunAsync(ICellDriver driver)
    {
        var id = (await LaunchAsync(driver)).Id;
        await WaitForAsync(driver, id, static now => now.State == InstanceState.Running, Rules.Forward, "runs");
        return id;
    }

    public void Note(ICellDriver driver, Instance instance)
    {
        lock (_gate)
        {
            _launched[driver.Description.ControllerId].Add(instance.Id);
        }
    }

    public Task<IReadOnlyList<Instance>> ListAsync(ICellDriver driver) => CallAsync("ListAsync", Rules.ListComplete, driver.ListAsync);

    public async Task<Instance?> FindAsync(ICellDriver driver, string id)
    {
        var found = (await ListAsync(driver)).Where(instance => instance.Id == id).ToList();
        Check(found.Count <= 1, Rules.ListComplete, $"{id} once in the list", $"{id} {found.Count} times");
        return found.SingleOrDefault();
    }

    public Task TerminateAsync(ICellDriver driver, params string[] ids) => CallAsync(
        $"TerminateAsync({string.Join(", ", ids)})",
        Rules.TerminateUnknown,
        token => TerminateAsync(driver, ids, token));

    /// <summary>Waits until an instance is listed and looks as wanted.</summary>
    public async Task<Instance> WaitForAsync(ICellDriver driver, string id, Func<Instance, bool> condition, string rule, string expected)
    {
        Instance? instance = null;
        await UntilAsync(
            async () => (instance = await FindAsync(driver, id)) is not null && condition(instance),
            rule,
            $"{id} {expected}",
            () => instance is null ? "it is not listed" : Describe(instance));
        return instance!;
    }

    public Task WaitUntilEndedAsync(ICellDriver driver, params string[] ids)
    {
        List<Instance> left = [];
        return UntilAsync(
            async () => (left = [.. (await ListAsync(driver)).Where(
                instance => ids.Contains(instance.Id) && instance.State != InstanceState.Terminated)]).Count == 0,
            Rules.Terminate,
            $"{ids.Length} terminated instances end",
            () => $"still there: {string.Join("; ", left.Select(Describe))}");
    }

    public async Task UntilAsync(Func<Task<bool>> condition, string rule, string expected, Func<string> found)
    {
        var start = Clock.GetTimestamp();
        while (!await condition())
        {
            Check(Clock.GetElapsedTime(start) < options.SettleTimeout, rule, $"{expected} within {options.SettleTimeout}", found);
            await PauseAsync();
        }
    }

    /// <summary>Looks for a while, to see that nothing happens.</summary>
    public async Task WatchAsync(Func<Task> look)
    {
        var start = Clock.GetTimestamp();
        do
        {
            await look();
            await PauseAsync();
        }
        while (Clock.GetElapsedTime(start) < options.WatchTime);
    }

    public Task PauseAsync() => Task.Delay(options.PollInterval, Clock, cancellationToken);

    /// <summary>Calls the driver; everything but an answer in time is against the rule. What is throttled or transient is repeated.</summary>
    public Task<T> CallAsync<T>(string what, string rule, Func<CancellationToken, Task<T>> call) => CallAsync(what, rule, call, cancellationToken);

    private async Task<T> CallAsync<T>(string what, string rule, Func<CancellationToken, Task<T>> call, CancellationToken stop)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await BoundedAsync(what, call, stop);
            }
            catch (DriverException error) when (error.IsRetryable && tries < MostTries)
            {
                await PauseAsync(tries, stop);
            }
            catch (DriverException error)
            {
                throw new DriverConformanceException(rule, $"{what} succeeds", $"{error.Kind}: {error.Message}", error);
            }
        }
    }

    /// <summary>Calls the driver and returns the failure that is expected of it.</summary>
    public async Task<DriverException> FailAsync<T>(string what, string rule, string expected, Func<CancellationToken, Task<T>> call)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                var answer = await BoundedAsync(what, call, cancellationToken);
                throw new DriverConformanceException(rule, $"{what} fails with {expected}", $"it succeeded: {answer}");
            }
            catch (DriverException error) when (error.IsRetryable && tries < MostTries)
            {
                await PauseAsync(tries, cancellationToken);
            }
            catch (DriverException error)
            {
                return error;
            }
        }
    }

    public static void Check(bool holds, string rule, string expected, string found) => Check(holds, rule, expected, () => found);

    public static void Check(bool holds, string rule, string expected, Func<string> found)
    {
        if (!holds)
        {
            throw new DriverConformanceException(rule, expected, found());
        }
    }

    public static string Describe(Instance instance) =>
        $"{instance.Id} ({instance.State}, {instance.InstanceType}, {instance.Zone}, {instance.CapacityType}, address {instance.Address ?? "none"})";

    /// <summary>
    /// Terminates what the check launched, by the ids that were returned and, where answers were lost, by the lists. Returns what kept it
    /// from that, or null. Does not look at the check's token: what was launched is terminated also when the check was cancelled.
    /// </summary>
    public async Task<DriverConformanceException?> CleanUpAsync()
    {
        // A call that was cancelled on its way may still take effect; what it makes is to be in the lists.
        await Task.Delay(options.PollInterval, Clock, CancellationToken.None);
        DriverConformanceException? failure = null;
        foreach (var (controller, ids) in _launched)
        {
            var driver = options.CreateDriver(controller);
            try
            {
                ids.UnionWith((await CallAsync("ListAsync", Rules.ListComplete, driver.ListAsync, CancellationToken.None))
                    .Where(instance => instance.Tags.GetValueOrDefault(InstanceTags.ControllerId) == controller)
                    .Select(instance => instance.Id));
            }
            catch (DriverConformanceException error)
            {
                failure = error;
            }

            try
            {
                await CallAsync("TerminateAsync", Rules.Terminate, token => TerminateAsync(driver, ids, token), CancellationToken.None);
            }
            catch (DriverConformanceException error)
            {
                failure = error;
            }
        }

        return failure;
    }

    private static async Task<bool> TerminateAsync(ICellDriver driver, IReadOnlyCollection<string> ids, CancellationToken token)
    {
        await driver.TerminateAsync(ids, token);
        return true;
    }

    private Task PauseAsync(int tries, CancellationToken stop) => Task.Delay(options.PollInterval * Math.Pow(2, tries), Clock, stop);

    private async Task<T> BoundedAsync<T>(string what, Func<CancellationToken, Task<T>> call, CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(options.CallTimeout, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop);
        try
        {
            return await call(either.Token);
        }
        catch (OperationCanceledException error) when (timeout.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new DriverConformanceException(Rules.Cancellation, $"{what} answers within {options.CallTimeout}", "it does not", error);
        }
        catch (Exception error) when (error is not (DriverException or DriverConformanceException or OperationCanceledException))
        {
            // Whatever else escapes a driver is the finding itself.
            throw new DriverConformanceException(Rules.Failures, $"{what} answers or throws DriverException", $"{error.GetType().Name}: {error.Message}", error);
        }
    }

    private string MakeUserData(string cellId)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=conformance", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = Clock.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return new CellBootConfiguration
        {
            CellId = cellId,
            ControllerCa = certificate.ExportCertificatePem(),
            EnrolmentToken = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        }.ToJson();
    }
}
