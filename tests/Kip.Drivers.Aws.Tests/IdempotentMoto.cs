using System.Collections.Concurrent;
using System.Net;
using System.Xml.Linq;
using Amazon.Runtime;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Drivers.Aws.Tests;

/// <summary>What happens to a request, which may be let through, and its answer.</summary>
internal delegate Task<HttpResponseMessage> Fault(CancellationToken cancellationToken, Func<Task<HttpResponseMessage>> forward);

/// <summary>
/// What EC2 has and moto lacks: a client token makes one instance, also when the caller of the first request has gone before it was
/// answered; what was terminated may be terminated again; and there is a price list, if an empty one. All other requests pass as they are, to moto over HTTP.
/// </summary>
internal sealed class IdempotentMoto(MotoServer server) : IDisposable
{
    private readonly SocketsHttpHandler _wire = new();
    private readonly ConcurrentDictionary<string, Lazy<Task<(HttpStatusCode Status, string Body)>>> _launches = new();
    private readonly ConcurrentDictionary<string, bool> _terminated = new();
    private readonly ConcurrentQueue<Ec2Call> _calls = new();
    private (string Action, int Times, Fault Fault) _spoiling;

    /// <summary>All requests to EC2 until now.</summary>
    public IReadOnlyCollection<Ec2Call> Calls => _calls;

    public AwsDriver MakeDriver(string controllerId) => MakeDriver(new AwsDriverOptions
    {
        ControllerId = controllerId,
        Region = "us-east-1",
        EndpointUrl = server.Address,
        Credentials = new BasicAWSCredentials("AKIATEST", "secret"),
        Image = "owners=amazon; filters=name=amzn2-ami-*",
    });

    public AwsDriver MakeDriver(AwsDriverOptions options) =>
        new(options with { EndpointUrl = server.Address }, TimeProvider.System, NullLogger<AwsDriver>.Instance, () => new Handler(this));

    /// <summary>The answers to the next requests for an action get lost on their way, after they took effect.</summary>
    public void LoseAnswers(string action, int times) => Spoil(action, times, static async (_, forward) =>
    {
        (await forward()).Dispose();
        throw new HttpRequestException("the answer was lost");
    });

    /// <summary>Something happens to the next requests for an action, or to their answers.</summary>
    public void Spoil(string action, int times, Fault fault) => _spoiling = (action, times, fault);

    public void Dispose() => _wire.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Headers.TryGetValues("X-Amz-Target", out var targets) && targets.Single() == "AWSPriceListService.GetProducts")
        {
            return FakeAws.Json(HttpStatusCode.OK, """{"PriceList":[]}""");
        }

        using var wire = new HttpMessageInvoker(_wire, disposeHandler: false);
        if (await Ec2Call.ReadAsync(request) is not { } call)
        {
            return await wire.SendAsync(request, cancellationToken);
        }

        _calls.Enqueue(call);
        if (_spoiling is { Times: > 0 } spoiling && spoiling.Action == call.Action)
        {
            _spoiling = spoiling with { Times = spoiling.Times - 1 };
            return await spoiling.Fault(cancellationToken, () => AnswerAsync(wire, request, call, cancellationToken));
        }

        return await AnswerAsync(wire, request, call, cancellationToken);
    }

    private async Task<HttpResponseMessage> AnswerAsync(HttpMessageInvoker wire, HttpRequestMessage request, Ec2Call call, CancellationToken cancellationToken)
    {
        return call switch
        {
            { Action: "RunInstances" } when call["ClientToken"] is { } token => await LaunchAsync(request, token, cancellationToken),
            { Action: "TerminateInstances" } => await TerminateAsync(request, call, cancellationToken),
            _ => await wire.SendAsync(request, cancellationToken),
        };
    }

    private async Task<HttpResponseMessage> TerminateAsync(HttpRequestMessage request, Ec2Call call, CancellationToken cancellationToken)
    {
        var ids = call.Parameters.Where(parameter => parameter.Key.StartsWith("InstanceId.", StringComparison.Ordinal)).Select(parameter => parameter.Value)
            .Where(id => !_terminated.ContainsKey(id)).ToList();
        if (call["DryRun"] is not null)
        {
            var (refused, error) = await ForwardAsync(request, request.Content!.ReadAsByteArrayAsync(cancellationToken)).WaitAsync(cancellationToken);
            return FakeAws.Xml(refused, error);
        }

        if (ids.Count == 0)
        {
            return FakeAws.Xml(HttpStatusCode.OK, "<TerminateInstancesResponse><instancesSet/></TerminateInstancesResponse>");
        }

        var form = $"Action=TerminateInstances&Version=2016-11-15{string.Concat(ids.Select((id, i) => $"&InstanceId.{i + 1}={id}"))}";
        var (status, body) = await ForwardAsync(request, Task.FromResult(System.Text.Encoding.ASCII.GetBytes(form))).WaitAsync(cancellationToken);
        if (status == HttpStatusCode.OK)
        {
            ids.ForEach(id => _terminated[id] = true);
        }

        return FakeAws.Xml(status, body);
    }

    private async Task<HttpResponseMessage> LaunchAsync(HttpRequestMessage request, string token, CancellationToken cancellationToken)
    {
        var isFirst = false;
        var launch = _launches.GetOrAdd(token, _ => new(() =>
        {
            isFirst = true;
            // EC2 goes on with what it has accepted, whoever waits for the answer.
            return ForwardAsync(request, request.Content!.ReadAsByteArrayAsync(CancellationToken.None));
        }));
        var (status, body) = await launch.Value.WaitAsync(cancellationToken);
        if (status != HttpStatusCode.OK)
        {
            // What was refused may be tried again.
            _launches.TryRemove(new(token, launch));
        }
        else if (!isFirst)
        {
            body = await DescribeAsync(request, body, cancellationToken);
        }

        return FakeAws.Xml(status, body);
    }

    /// <summary>The answer to a repeated launch: the same instance as it is now.</summary>
    private async Task<string> DescribeAsync(HttpRequestMessage request, string launched, CancellationToken cancellationToken)
    {
        var id = XElement.Parse(launched).Descendants().First(element => element.Name.LocalName == "instanceId").Value;
        var form = System.Text.Encoding.ASCII.GetBytes($"Action=DescribeInstances&Version=2016-11-15&InstanceId.1={id}");
        var (_, body) = await ForwardAsync(request, Task.FromResult(form)).WaitAsync(cancellationToken);
        var reservation = XElement.Parse(body).Descendants().First(element => element.Name.LocalName == "item");
        return new XElement(reservation.Name.Namespace + "RunInstancesResponse", reservation.Elements()).ToString();
    }

    private async Task<(HttpStatusCode Status, string Body)> ForwardAsync(HttpRequestMessage request, Task<byte[]> form)
    {
        var bytes = await form;
        using var wire = new HttpMessageInvoker(_wire, disposeHandler: false);
        using var copy = new HttpRequestMessage(request.Method, request.RequestUri) { Content = new ByteArrayContent(bytes) };
        copy.Content.Headers.ContentType = request.Content!.Headers.ContentType;
        foreach (var (name, values) in request.Headers)
        {
            copy.Headers.TryAddWithoutValidation(name, values);
        }

        using var response = await wire.SendAsync(copy, CancellationToken.None);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(CancellationToken.None));
    }

    private sealed class Handler(IdempotentMoto moto) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => moto.SendAsync(request, cancellationToken);
    }
}
