using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kip.Kubernetes.Configuration;
using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Client;

/// <summary>
/// Calls an API server over HTTP/2 where the server has it, with connections and a rate limit of its own: what must not be held up
/// by anything else, such as a lease, gets a client of its own.
/// </summary>
public sealed class KubernetesClient : IKubernetesClient, IDisposable
{
    // How much later than it promised an API server may end a watch.
    private static readonly TimeSpan WatchGrace = TimeSpan.FromSeconds(30);

    private readonly KubernetesConfiguration _configuration;
    private readonly KubernetesClientOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly RequestRateLimiter? _limiter;
    private readonly string _root;
    private readonly Lock _lock = new();
    private Transport? _transport;
    private bool _disposed;

    /// <summary>Makes a client; connections are made when they are needed.</summary>
    public KubernetesClient(KubernetesConfiguration configuration, KubernetesClientOptions? options, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(timeProvider);
        _configuration = configuration;
        _options = options ?? new KubernetesClientOptions();
        _timeProvider = timeProvider;
        _root = configuration.Server.AbsoluteUri.TrimEnd('/');
        if (_options.RequestsPerSecond is { } perSecond)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(perSecond, nameof(options));
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(_options.Burst, nameof(options));
            _limiter = new RequestRateLimiter(perSecond, _options.Burst, timeProvider);
        }
    }

    /// <summary>The namespace of the configuration, for callers that name none.</summary>
    public string DefaultNamespace => _configuration.Namespace;

    /// <inheritdoc/>
    public Task<T> GetAsync<T>(ResourceType<T> type, ObjectKey key, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        return CallAsync(new Call(HttpMethod.Get, type.ObjectPath(key, null)), type.Json, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<KubernetesList<T>> ListAsync<T>(
        ResourceType<T> type, string @namespace, ListOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(@namespace);
        options ??= new ListOptions();
        var list = await ListPageAsync(type, @namespace, options, next: null, cancellationToken);
        try
        {
            while (list.Metadata.Continue is { Length: > 0 } next)
            {
                var page = await ListPageAsync(type, @namespace, options, next, cancellationToken);
                list.Items.AddRange(page.Items);
                list.Metadata = page.Metadata;
            }
        }
        catch (KubernetesApiException e) when (e.IsGone)
        {
            // The state the pages are of was compacted away; all at once needs none.
            list = await ListPageAsync(type, @namespace, options with { PageSize = 0 }, next: null, cancellationToken);
        }

        foreach (var item in list.Items)
        {
            type.Stamp(item);
        }

        return list;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        ResourceType<T> type, string @namespace, WatchOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(@namespace);
        options ??= new WatchOptions();
        var call = new Call(HttpMethod.Get, new RequestUri(type.CollectionPath(@namespace))
            .With("watch", "true")
            .With("labelSelector", options.LabelSelector)
            .With("fieldSelector", options.FieldSelector)
            .With("resourceVersion", options.ResourceVersion)
            .With("timeoutSeconds", options.Timeout)
            .With("allowWatchBookmarks", options.AllowBookmarks ? "true" : null)
            .ToString());

        using var deadline = new CancellationTokenSource(_options.RequestTimeout, _timeProvider);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        using var response = await GuardAsync(call, SendWithRetriesAsync(call, ended.Token), cancellationToken);
        deadline.CancelAfter(options.Timeout is { } timeout ? timeout + WatchGrace : Timeout.InfiniteTimeSpan);
        await using var stream = await response.Content.ReadAsStreamAsync(ended.Token);
        await using var events = WatchReader.ReadAsync(stream, type.Json, call.ToString(), ended.Token).GetAsyncEnumerator(ended.Token);
        while (await GuardAsync(call, events.MoveNextAsync().AsTask(), cancellationToken))
        {
            yield return events.Current;
        }
    }

    /// <inheritdoc/>
    public Task<T> CreateAsync<T>(ResourceType<T> type, T value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(value);
        if (type.Namespaced)
        {
            ArgumentException.ThrowIfNullOrEmpty(value.Metadata.Namespace, nameof(value));
        }

        type.Stamp(value);
        var path = type.CollectionPath(value.Metadata.Namespace ?? "");
        return CallAsync(new Call(HttpMethod.Post, path, KubernetesJson.SerializeToUtf8(value, type.Json)), type.Json, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<TPart> CreateSubresourceAsync<T, TPart>(
        ResourceType<T> type, ObjectKey key, Subresource<TPart> subresource, TPart value, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
        where TPart : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(subresource);
        ArgumentNullException.ThrowIfNull(value);
        value.ApiVersion ??= subresource.ApiVersion;
        value.Kind ??= subresource.Kind;
        var body = KubernetesJson.SerializeToUtf8(value, subresource.Json);
        return CallAsync(new Call(HttpMethod.Post, type.ObjectPath(key, subresource.Name), body), subresource.Json, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<T> ReplaceAsync<T>(ResourceType<T> type, T value, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(value);
        type.Stamp(value);
        var body = KubernetesJson.SerializeToUtf8(value, type.Json);
        return CallAsync(new Call(HttpMethod.Put, type.ObjectPath(ObjectKey.Of(value), subresource), body), type.Json, cancellationToken);
    }

    /// <inheritdoc/>
    public Task PatchAsync<T>(
        ResourceType<T> type, ObjectKey key, Patch patch, string? subresource, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(patch);
        return CallAsync(new Call(HttpMethod.Patch, type.ObjectPath(key, subresource), patch.Body, patch.MediaType), cancellationToken);
    }

    /// <inheritdoc/>
    public Task DeleteAsync<T>(ResourceType<T> type, ObjectKey key, DeleteOptions? options, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        ArgumentNullException.ThrowIfNull(type);
        return CallAsync(new Call(HttpMethod.Delete, type.ObjectPath(key, null), DeleteBody.Write(options ?? new DeleteOptions())), cancellationToken);
    }

    /// <summary>Closes the connections; what is under way is cut.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _transport?.Dispose();
        }
    }

    private Task<KubernetesList<T>> ListPageAsync<T>(
        ResourceType<T> type, string @namespace, ListOptions options, string? next, CancellationToken cancellationToken)
        where T : class, IKubernetesObject
    {
        var json = type.ListJson ?? throw new ArgumentException($"{type.Kind} cannot be listed", nameof(type));
        var uri = new RequestUri(type.CollectionPath(@namespace))
            .With("labelSelector", options.LabelSelector)
            .With("fieldSelector", options.FieldSelector)
            .With("limit", options.PageSize > 0 ? options.PageSize.ToString(CultureInfo.InvariantCulture) : null)

            // The next page is of the version of the first one; naming both is an error.
            .With("resourceVersion", next is null ? options.ResourceVersion : null)
            .With("continue", next);
        return CallAsync(new Call(HttpMethod.Get, uri.ToString()), json, cancellationToken);
    }

    private async Task<TResult> CallAsync<TResult>(Call call, JsonTypeInfo<TResult> json, CancellationToken cancellationToken)
        where TResult : class
    {
        using var deadline = new CancellationTokenSource(_options.RequestTimeout, _timeProvider);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        return await GuardAsync(call, SendAndReadAsync(call, json, ended.Token), cancellationToken);
    }

    private async Task CallAsync(Call call, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(_options.RequestTimeout, _timeProvider);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        await GuardAsync(call, SendAndDrainAsync(call, ended.Token), cancellationToken);
    }

    /// <summary>For an answer that says nothing more. It is read all the same: a stream that is cut costs the server more than one that ends.</summary>
    private async Task<bool> SendAndDrainAsync(Call call, CancellationToken cancellationToken)
    {
        using var response = await SendWithRetriesAsync(call, cancellationToken);
        await response.Content.CopyToAsync(Stream.Null, cancellationToken);
        return true;
    }

    private async Task<TResult> SendAndReadAsync<TResult>(Call call, JsonTypeInfo<TResult> json, CancellationToken cancellationToken)
        where TResult : class
    {
        using var response = await SendWithRetriesAsync(call, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        return await JsonSerializer.DeserializeAsync(stream, json, cancellationToken)
            ?? throw new JsonException("the answer is null");
    }

    /// <summary>Turns whatever goes wrong into the one exception that callers expect.</summary>
    private static async Task<TResult> GuardAsync<TResult>(Call call, Task<TResult> task, CancellationToken cancellationToken)
    {
        try
        {
            return await task;
        }
        catch (Exception e) when (
            ApiFailure.IsConnection(e)
            || e is JsonException or KubernetesConfigurationException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw ApiFailure.FromException(call.ToString(), e);
        }
    }

    private async Task<HttpResponseMessage> SendWithRetriesAsync(Call call, CancellationToken cancellationToken)
    {
        var refused = false;
        for (var attempt = 0; ; attempt++)
        {
            if (_limiter is not null)
            {
                await _limiter.WaitAsync(cancellationToken);
            }

            KubernetesApiException failure;
            try
            {
                var credential = await _configuration.Credentials.GetAsync(cancellationToken);
                var response = await SendAsync(call, credential, cancellationToken);
                if (response.IsSuccessStatusCode)
                {
                    return response;
                }

                using (response)
                {
                    failure = await ApiFailure.FromResponseAsync(call.ToString(), response, _timeProvider, cancellationToken);
                }

                if (failure.StatusCode == HttpStatusCode.Unauthorized && !refused && _configuration.Credentials.Refuse(credential))
                {
                    refused = true;
                    continue;
                }
            }
            catch (Exception e) when (ApiFailure.IsConnection(e) && call.IsRead)
            {
                failure = ApiFailure.FromException(call.ToString(), e);
            }

            if (attempt >= _options.Retries || !RetryPolicy.MayRepeat(call.IsRead, failure))
            {
                throw failure;
            }

            var pause = RetryPolicy.Pause(attempt, failure.RetryAfter);
            if (pause > _options.RequestTimeout)
            {
                throw failure;
            }

            await Task.Delay(pause, _timeProvider, cancellationToken);
        }
    }

    private Task<HttpResponseMessage> SendAsync(Call call, KubernetesCredential credential, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(call.Method, $"{_root}/{call.PathAndQuery}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        if (call.Body is { } body)
        {
            request.Content = new ReadOnlyMemoryContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(call.MediaType) } };
        }

        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        request.Headers.TryAddWithoutValidation("User-Agent", _options.UserAgent);
        if (credential.Token is { } token)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        }

        if (_configuration.TlsServerName is { } serverName)
        {
            // SocketsHttpHandler takes the name that the certificate must have from here.
            request.Headers.Host = serverName;
        }

        foreach (var (name, value) in _configuration.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return GetTransport(credential).SendAsync(request, cancellationToken);
    }

    private Transport GetTransport(KubernetesCredential credential)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_transport is null || !ReferenceEquals(_transport.Certificate, credential.ClientCertificate))
            {
                // Connections keep the certificate they were made with. The old ones are not closed: calls are on them, or about to be;
                // they close themselves once they are idle.
                _transport = new Transport(_configuration, credential.ClientCertificate, _timeProvider);
            }

            return _transport;
        }
    }

    /// <summary>A call, which can be made more than once.</summary>
    private sealed record Call(HttpMethod Method, string PathAndQuery, ReadOnlyMemory<byte>? Body = null, string MediaType = "application/json")
    {
        public bool IsRead => Method == HttpMethod.Get;

        public override string ToString() => $"{Method} /{PathAndQuery}";
    }
}
