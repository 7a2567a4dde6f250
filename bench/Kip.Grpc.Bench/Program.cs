using System.Diagnostics;
using System.Globalization;

using Kip.Grpc;
using Kip.Grpc.Bench;
using Kip.Grpc.Tests.Support;

if (args is ["server", string pemFolder])
{
    await Service.RunAsync(pemFolder);
    return 0;
}

if (args is not ["run", string seconds] || !int.TryParse(seconds, CultureInfo.InvariantCulture, out int duration) || duration < 1)
{
    await Console.Error.WriteLineAsync("usage: Kip.Grpc.Bench run SECONDS-PER-PHASE");
    return 2;
}

using var folder = new TempFolder();
using var certificates = new TestCertificates(folder.Path);
Measurement kip = await MeasureKipAsync();
Measurement? js = Environment.GetEnvironmentVariable("NODE_PACKAGES") is null ? null : await MeasureJavaScriptAsync();
Print(kip, js);
return 0;

async Task<Measurement> MeasureKipAsync()
{
    using Process server = Start(Environment.ProcessPath!, "server", folder.Path);
    try
    {
        string port = await ReadLineAsync(server);
        using GrpcChannel channel = GrpcChannel.ForAddress(
            $"https://127.0.0.1:{port}", new GrpcChannelOptions { Ssl = certificates.ClientOptions() });
        return await Measurement.TakeAsync(
            channel,
            async () =>
            {
                await server.StandardInput.WriteLineAsync();
                return long.Parse(await ReadLineAsync(server), CultureInfo.InvariantCulture);
            },
            TimeSpan.FromSeconds(duration));
    }
    finally
    {
        server.Kill();
    }
}

async Task<Measurement> MeasureJavaScriptAsync()
{
    string script = Path.Combine(AppContext.BaseDirectory, "js", "bench.js");
    using Process server = Start("node", script, "server", folder.Path);
    try
    {
        string port = await ReadLineAsync(server);
        using Process client = Start("node", script, "client", port, folder.Path, seconds);
        double[] figures = [.. (await ReadLineAsync(client)).Split(' ').Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
        await client.WaitForExitAsync();
        return new Measurement(figures[0], figures[1], figures[2], null, null);
    }
    finally
    {
        server.Kill();
    }
}

static void Print(Measurement kip, Measurement? js)
{
    Console.WriteLine($"unary call, 100 bytes each way, loopback, mutual TLS, client and server each a process; {Environment.ProcessorCount} cores");
    Console.WriteLine($"{"",-34}{"Kip.Grpc",12}{"grpc-js",12}{"ratio",9}");
    Row("latency p50, one by one (us)", kip.P50, js?.P50);
    Row("latency p99, one by one (us)", kip.P99, js?.P99);
    Row("calls/s, 32 at a time", kip.CallsPerSecond, js?.CallsPerSecond);
    Row("allocated by client (B/call)", kip.ClientBytes, js?.ClientBytes);
    Row("allocated by server (B/call)", kip.ServerBytes, js?.ServerBytes);
}

static void Row(string name, double? kip, double? js) =>
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{name,-34}{kip,12:F0}{js?.ToString("F0", CultureInfo.InvariantCulture) ?? "-",12}{kip / js,9:F2}"));

static Process Start(string program, params string[] arguments) =>
    Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

static async Task<string> ReadLineAsync(Process process) =>
    await process.StandardOutput.ReadLineAsync()
    ?? throw new InvalidOperationException($"{process.StartInfo.FileName} ended without a word.");
