using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;

using Google.Protobuf;

using Kip.Grpc.Server;

using Microsoft.AspNetCore.Routing;

namespace Kip.Grpc.Tests.Support;

/// <summary>The C# twin of <c>js/server.js</c>.</summary>
internal sealed class EchoService
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _cancelled = new();

    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGrpcUnary(EchoMethods.Unary, Unary);
        endpoints.MapGrpcUnary(EchoMethods.Fail, Fail);
        endpoints.MapGrpcUnary(EchoMethods.Wait, WaitAsync);
        endpoints.MapGrpcUnary(EchoMethods.AwaitCancellation, AwaitCancellationAsync);
        endpoints.MapGrpcServerStreaming(EchoMethods.ServerStream, (request, context) => ServerStream(request, context));
        endpoints.MapGrpcClientStreaming(EchoMethods.ClientStream, ClientStreamAsync);
        endpoints.MapGrpcDuplexStreaming(EchoMethods.Duplex, (requests, _) => requests);
        endpoints.MapGrpcUnimplemented();
    }

    public Task WhenCancelled(string id) => Cancellation(id).Task;

    private static Metadata FailTrailers() => new() { { "x-reason", "asked" }, { "x-bytes-bin", [0x00, 0xff, 0x7f] } };

    private static Task<EchoMessage> Unary(EchoMessage request, ServerCallContext context)
    {
        foreach (MetadataEntry entry in context.RequestHeaders.Where(e => e.Key.StartsWith("x-", StringComparison.Ordinal)))
        {
            foreach (Metadata target in new[] { context.ResponseHeaders, context.ResponseTrailers })
            {
                if (entry.IsBinary)
                {
                    target.Add(entry.Key, entry.ValueBytes.Span);
                }
                else
                {
                    target.Add(entry.Key, entry.Value);
                }
            }
        }

        return Task.FromResult(request);
    }

    private static Task<EchoMessage> Fail(FailRequest request, ServerCallContext context) =>
        throw new RpcException((StatusCode)request.Code, request.Detail, FailTrailers());

    private static async Task<EchoMessage> ClientStreamAsync(IAsyncEnumerable<EchoMessage> requests, ServerCallContext context)
    {
        long count = 0;
        long sum = 0;
        await foreach (EchoMessage request in requests)
        {
            count++;
            sum += request.Number;
        }

        return new EchoMessage { Number = count, Text = sum.ToString(CultureInfo.InvariantCulture) };
    }

    private async Task<EchoMessage> WaitAsync(WaitRequest request, ServerCallContext context)
    {
        using CancellationTokenRegistration onCancel =
            context.CancellationToken.Register(() => Cancellation(request.Id).TrySetResult());
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        return new EchoMessage();
    }

    private async Task<EchoMessage> AwaitCancellationAsync(WaitRequest request, ServerCallContext context)
    {
        await WhenCancelled(request.Id).WaitAsync(context.CancellationToken);
        return new EchoMessage { Text = request.Id };
    }

    private async IAsyncEnumerable<EchoMessage> ServerStream(
        StreamRequest request, ServerCallContext context, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using CancellationTokenRegistration onCancel =
            context.CancellationToken.Register(() => Cancellation(request.Id).TrySetResult());
        ByteString data = ByteString.CopyFrom(new byte[request.Size]);
        for (int number = 0; number < request.Count; number++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return new EchoMessage { Number = number, Data = data };
        }

        if (request.FailCode != 0)
        {
            throw new RpcException((StatusCode)request.FailCode, "asked to fail", FailTrailers());
        }

        await Task.CompletedTask;
    }

    private TaskCompletionSource Cancellation(string id) =>
        _cancelled.GetOrAdd(id, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}
