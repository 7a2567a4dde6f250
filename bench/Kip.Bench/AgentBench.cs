using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Kip.Agents;

namespace Kip.Bench;

/// <summary>The agent alone: start to serving beside the start of a program that does nothing, memory with a pod, size of the download.</summary>
internal static partial class AgentBench
{
    public static async Task RunAsync(string root, int rounds)
    {
        var agent = Path.Combine(root, "artifacts", "kip", "agent", "kip-agent");
        Console.WriteLine($"kip-agent, {rounds} rounds; {Measured.Machine()}");
        var serving = new List<double>();
        var version = new List<double>();
        for (var round = 0; round <= rounds; round++)
        {
            var (toServing, toVersion) = (await StartAsync(agent), (await Measured.FirstOutputAsync(new ProcessStartInfo(agent, ["--version"]))).FirstOutput);
            if (round > 0)
            {
                serving.Add(toServing);
                version.Add(toVersion);
            }
        }

        Console.WriteLine($"start to serving                   {Measured.Milliseconds(Measured.Median(serving))}    (goal: at most 150 ms)");
        Console.WriteLine($"beside it: start to --version      {Measured.Milliseconds(Measured.Median(version))}");
        Console.WriteLine($"resident with one running pod      {await ResidentAsync(root),8:0.0} MB    (goal: at most 55 MB)");
        Console.WriteLine($"download, gzip                     {await CompressedAsync(agent),8:0.0} MB    (goal: at most 18 MB)");
    }

    private static async Task<double> StartAsync(string agent)
    {
        var folder = Directory.CreateTempSubdirectory("kip-bench-").FullName;
        using var authority = CertificateAuthority.Create(TimeProvider.System);
        var userData = Path.Combine(folder, "user-data");
        var port = FreePort();
        await File.WriteAllTextAsync(userData, new CellBootConfiguration
        {
            CellId = "cell-bench",
            ControllerCa = authority.CertificatePem,
            EnrolmentToken = Convert.ToBase64String(new byte[32]),
            Port = port,
        }.ToJson());
        var begin = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(
            agent,
            [
                "--user-data", userData, "--listen", "127.0.0.1", "--runtime-endpoint", Path.Combine(folder, "none.sock"), "--state-dir", Path.Combine(folder, "state"),
                "--log-dir", Path.Combine(folder, "log"), "--cni-conf-dir", Path.Combine(folder, "cni"), "--registry-conf-dir", Path.Combine(folder, "certs"),
            ])
        { RedirectStandardError = true }) ?? throw new InvalidOperationException("the agent did not start");
        try
        {
            while (true)
            {
                using var socket = new TcpClient();
                try
                {
                    await socket.ConnectAsync("127.0.0.1", port);
                    return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
                }
                catch (SocketException) when (!process.HasExited)
                {
                    await Task.Yield(); // not yet
                }
            }
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<double> ResidentAsync(string root)
    {
        var kip = Path.Combine(root, "artifacts", "kip", "kip");
        using var run = Process.Start(new ProcessStartInfo(kip, ["run", Path.Combine(root, "samples", "pods", "web.yaml")]) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException("kip did not start");
        var errors = run.StandardError.ReadToEndAsync();
        await run.StandardOutput.ReadLineAsync(); // it serves
        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System, CancellationToken.None);
        var resident = Directory.EnumerateDirectories("/proc")
            .Where(static d => int.TryParse(Path.GetFileName(d), out _))
            .Select(static d => TryRead(Path.Combine(d, "status")))
            .Where(static s => s.StartsWith("Name:\tkip-agent\n", StringComparison.Ordinal))
            .Select(static s => int.Parse(Resident().Match(s).Groups[1].ValueSpan, CultureInfo.InvariantCulture))
            .ToList();
        using var interrupt = Process.Start("kill", ["-INT", run.Id.ToString(CultureInfo.InvariantCulture)]);
        await run.WaitForExitAsync();
        await errors;
        return resident.Count == 1 ? resident[0] / 1000.0 : throw new InvalidOperationException($"{resident.Count} agents run; stop other cells first");
    }

    private static string TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return ""; // a process that has ended meanwhile
        }
    }

    private static async Task<double> CompressedAsync(string file)
    {
        await using var counting = new MemoryStream();
        await using (var gzip = new GZipStream(counting, CompressionLevel.SmallestSize, leaveOpen: true))
        await using (var source = File.OpenRead(file))
        {
            await source.CopyToAsync(gzip);
        }

        return counting.Length / 1e6;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    [GeneratedRegex(@"VmRSS:\s+(\d+) kB")]
    private static partial Regex Resident();
}
