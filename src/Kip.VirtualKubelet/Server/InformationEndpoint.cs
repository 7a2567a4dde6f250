using System.Net;
using System.Text.Json;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kip.VirtualKubelet.Server;

/// <summary>What is only read: pods, statistics, metrics, health, configuration.</summary>
internal sealed class InformationEndpoint(
    IPodHost host, StatisticsCollector statistics, KubeletServerOptions options, Func<int> port, TimeProvider time)
{
    private const string JsonType = "application/json";

    /// <summary>The paths of what is measured, which tell nothing of what pods hold.</summary>
    public void MapMeasurements(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/stats/summary", [HttpMethods.Get, HttpMethods.Post], SummaryAsync);
        routes.MapGet("/metrics", (RequestDelegate)MetricsAsync);
        routes.MapGet("/metrics/resource", (RequestDelegate)ResourceMetricsAsync);
        routes.MapGet("/metrics/cadvisor", (RequestDelegate)CadvisorMetricsAsync);
        routes.MapGet("/metrics/probes", (RequestDelegate)ProbeMetricsAsync);
    }

    public Task PodsAsync(HttpContext context) => WritePodsAsync(context, host.ListPods());

    public Task RunningPodsAsync(HttpContext context) => WritePodsAsync(
        context, host.ListPods().Where(pod => pod.AllContainerStatuses().Any(status => status.State?.Running is not null)));

    public static Task HealthAsync(HttpContext context)
    {
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync("ok", context.RequestAborted);
    }

    private async Task SummaryAsync(HttpContext context)
    {
        var usages = await statistics.CollectAsync(context.RequestAborted).ConfigureAwait(false);
        var isShort = context.Request.Query["only_cpu_and_memory"] is ["true" or "1"];
        context.Response.ContentType = JsonType;
        StatsSummary.Write(context.Response.BodyWriter, options.NodeName, time.GetUtcNow(), usages, isShort);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private Task MetricsAsync(HttpContext context) => WriteMetricsAsync(context, PodMetrics.Node(host.ListPods(), options.NodeName));

    private async Task ResourceMetricsAsync(HttpContext context)
    {
        var usages = await statistics.CollectAsync(context.RequestAborted).ConfigureAwait(false);
        await WriteMetricsAsync(context, PodMetrics.Resource(usages, time.GetUtcNow())).ConfigureAwait(false);
    }

    private async Task CadvisorMetricsAsync(HttpContext context)
    {
        var usages = await statistics.CollectAsync(context.RequestAborted).ConfigureAwait(false);
        await WriteMetricsAsync(context, PodMetrics.Cadvisor(usages)).ConfigureAwait(false);
    }

    /// <summary>Probes are run on the cells, which count none: an exposition without samples is what is true.</summary>
    private static Task ProbeMetricsAsync(HttpContext context) => WriteMetricsAsync(
        context,
        new MetricsText().Begin("prober_probe_total", "counter", "Cumulative number of a probe for a container by result.").ToString());

    public async Task ConfigurationAsync(HttpContext context)
    {
        context.Response.ContentType = JsonType;
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteStartObject("kubeletconfig");
        json.WriteString("address", (options.Address ?? IPAddress.Any).ToString());
        json.WriteNumber("port", port());
        json.WriteNumber("readOnlyPort", 0);
        json.WriteStartObject("authentication");
        WriteEnabled(json, "anonymous", false);
        WriteEnabled(json, "webhook", true);
        json.WriteEndObject();
        json.WriteStartObject("authorization");
        json.WriteString("mode", "Webhook");
        json.WriteEndObject();
        json.WriteBoolean("enableServer", true);
        json.WriteBoolean("enableDebuggingHandlers", true);
        json.WriteString("streamingConnectionIdleTimeout", "0s");
        json.WriteEndObject();
        json.WriteEndObject();
        await json.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private static void WriteEnabled(Utf8JsonWriter json, string name, bool isEnabled)
    {
        json.WriteStartObject(name);
        json.WriteBoolean("enabled", isEnabled);
        json.WriteEndObject();
    }

    private static async Task WritePodsAsync(HttpContext context, IEnumerable<Pod> pods)
    {
        var list = new KubernetesList<Pod> { ApiVersion = "v1", Kind = "PodList", Items = [.. pods] };
        context.Response.ContentType = JsonType;
        await context.Response.Body.WriteAsync(
            KubernetesJson.SerializeToUtf8(list, KubernetesJsonContext.Default.PodList), context.RequestAborted).ConfigureAwait(false);
    }

    private static Task WriteMetricsAsync(HttpContext context, string text)
    {
        context.Response.ContentType = MetricsText.ContentType;
        return context.Response.WriteAsync(text, context.RequestAborted);
    }
}
