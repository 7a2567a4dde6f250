using System.Text.Json;
using Amazon.Pricing;
using Amazon.Pricing.Model;
using Kip.Drivers.Aws.Sdk;
using Microsoft.Extensions.Logging;

namespace Kip.Drivers.Aws;

/// <summary>The prices on demand of one region's types.</summary>
/// <param name="PerHour">Dollars, by type.</param>
/// <param name="ReadAt">When they were read.</param>
internal sealed record OnDemandPrices(IReadOnlyDictionary<string, decimal> PerHour, DateTimeOffset ReadAt)
{
    // The price list changes a few times in a month.
    private static readonly TimeSpan FreshFor = TimeSpan.FromDays(1);

    /// <summary>What they are worth: of now, or of the month in which they were read.</summary>
    public PriceBasis BasisAt(DateTimeOffset now) =>
        new(now - ReadAt <= FreshFor ? null : new DateOnly(ReadAt.Year, ReadAt.Month, 1), IsDerived: false);
}

/// <summary>Reads the price list, and keeps it for half a day. Nobody waits for it for long: there is a list from before.</summary>
internal sealed partial class AwsPrices : IDisposable
{
    private const int ProductsOnOnePage = 100;
    private const int MaxPages = 200;
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    // The first pod waits for it, and the list from before is good enough for that one.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan PatienceWithoutAny = TimeSpan.FromSeconds(20);

    private readonly string _region;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string? _place;
    private readonly TimeSpan _patience;
    private readonly Lazy<JsonServiceClient> _client;
    private readonly CancellationTokenSource _lifetime = new();
    private readonly Lock _lock = new();
    private Task? _reading;
    private volatile OnDemandPrices? _known;

    public AwsPrices(AwsCalls calls, AwsDriverOptions options, TimeProvider time, ILogger logger)
    {
        (_region, _time, _logger) = (options.Region, time, logger);
        _patience = options.PriceList is null ? PatienceWithoutAny : Patience;
        _place = options.LivePrices ? PlaceFor(options.Region) : null;
        _client = new(() => calls.Make(PricingActions.Service, _place));
    }

    /// <summary>Begins to read, unless what is known is new.</summary>
    public void Prepare()
    {
        lock (_lock)
        {
            if (_place is not null && _reading is null or { IsCompleted: true } && !(_known is { } known && _time.GetUtcNow() - known.ReadAt < Lifetime))
            {
                _reading = RefreshAsync();
            }
        }
    }

    /// <summary>The newest prices that can be had within a few seconds, once it was begun to read; null when there are none, for which the log says why.</summary>
    public async Task<OnDemandPrices?> GetAsync(CancellationToken cancellationToken)
    {
        try
        {
            await (_reading ?? Task.CompletedTask).WaitAsync(_patience, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            LogSlow(_patience);
        }

        return _known;
    }

    /// <summary>Whether the price list can be read, in one sentence.</summary>
    public async Task<string> CheckAsync(CancellationToken cancellationToken)
    {
        if (_place is null)
        {
            return $"those of {(PlaceFor(_region) is null ? $"the built-in list: AWS has no price list in dollars for {_region}" : "the price list that was given")}";
        }

        try
        {
            var response = await CallAsync(Request(1), cancellationToken).ConfigureAwait(false);
            return response.PriceList is { Count: > 0 } ? $"live, from the price list in {_place}" : $"those of the built-in list: AWS's has nothing for {_region}";
        }
        catch (DriverException error)
        {
            return $"those of the built-in list: {error.Message}";
        }
    }

    public void Dispose()
    {
        _lifetime.Cancel();
        _lifetime.Dispose();
        if (_client.IsValueCreated)
        {
            _client.Value.Dispose();
        }
    }

    // "AWS Price List Query API endpoints", AWS's documentation of billing: three, the nearest of which is taken. China's is in yuan.
    private static string? PlaceFor(string region) => Amazon.RegionEndpoint.GetBySystemName(region).PartitionName != "aws" ? null : region.Split('-')[0] switch
    {
        "eu" or "me" or "af" or "il" => "eu-central-1",
        "ap" => "ap-south-1",
        _ => "us-east-1",
    };

    private GetProductsRequest Request(int maxResults) => new()
    {
        ServiceCode = "AmazonEC2",
        FormatVersion = "aws_v1",
        MaxResults = maxResults,
        Filters =
        [
            new() { Field = "regionCode", Value = _region },
            new() { Field = "operatingSystem", Value = "Linux" },
            new() { Field = "tenancy", Value = "Shared" },
            new() { Field = "preInstalledSw", Value = "NA" },
            new() { Field = "capacitystatus", Value = "Used" },
        ],
    };

    private Task<GetProductsResponse> CallAsync(GetProductsRequest request, CancellationToken cancellationToken) =>
        AwsCalls.CallAsync(_client.Value, PricingActions.GetProducts, request, $"read the prices of {_region}", cancellationToken);

    /// <summary>Never fails: the log says what is wrong, and the next who asks tries again.</summary>
    private async Task RefreshAsync()
    {
        try
        {
            var prices = await ReadAsync(_lifetime.Token).ConfigureAwait(false);
            _known = new OnDemandPrices(prices, _time.GetUtcNow());
            LogRead(prices.Count, _region);
        }
        catch (OperationCanceledException) when (_lifetime.IsCancellationRequested)
        {
            // Nobody is interested any more.
        }
        catch (Exception e) when (e is DriverException or JsonException)
        {
            LogFailed(e.Message);
        }
    }

    private async Task<Dictionary<string, decimal>> ReadAsync(CancellationToken cancellationToken)
    {
        var prices = new Dictionary<string, decimal>(StringComparer.Ordinal);
        var request = Request(ProductsOnOnePage);
        for (var page = 0; page < MaxPages; page++)
        {
            var response = await CallAsync(request, cancellationToken).ConfigureAwait(false);
            foreach (var item in (response.PriceList ?? []).Select(PriceListItem.Read).OfType<PriceListItem>())
            {
                prices[item.InstanceType] = prices.TryGetValue(item.InstanceType, out var other) && other < item.PricePerHour ? other : item.PricePerHour;
            }

            if (string.IsNullOrEmpty(response.NextToken))
            {
                return prices.Count > 0 ? prices : throw new DriverException(DriverErrorKind.NotFound, $"AWS's price list has nothing for {_region}");
            }

            request.NextToken = response.NextToken;
        }

        throw new DriverException(DriverErrorKind.Transient, $"the price list of {_region} has more than {MaxPages} pages");
    }

    [LoggerMessage(1, LogLevel.Information, "Read the prices of {Count} types in {Region}")]
    private partial void LogRead(int count, string region);

    [LoggerMessage(2, LogLevel.Warning, "The price list cannot be read; the prices known from before are used: {Problem}")]
    private partial void LogFailed(string problem);

    [LoggerMessage(3, LogLevel.Information, "The price list is not there after {Patience}; the prices known from before are used until it is")]
    private partial void LogSlow(TimeSpan patience);
}
