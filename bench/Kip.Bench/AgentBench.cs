using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Kip.Agents;
using Kip.Cells;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kip.Bench;

/// <summary>The agent alone: start to serving beside the start of a program that does nothing, memory with a pod, size of the download.</summary>
internal static partial class AgentBench
{
    public static async Task RunAsync(string root, int rounds)
    {
        var agent = Path.Combine(root, "artifacts", "kip", "agent", "kip-agent");
        Console.WriteLine($"kip-agent, {rounds} rounds; {Measured.Machine()}");
        var serving = new List<double>();
        var enrolled = new List<double>();
        var version = new List<double>();
        for (var round = 0; round <= rounds; round++)
        {
            var ((toServing, toEnrolled), toVersion) = (await StartAsync(agent), (await Measured.FirstOutputAsync(new ProcessStartInfo(agent, ["--version"]))).FirstOutput);
            if (round > 0)
            {
                serving.Add(toServing);
                enrolled.Add(toEnrolled);
                version.Add(toVersion);
            }
        }

        Console.WriteLine($"start to serving                   {Measured.Milliseconds(Measured.Median(serving))}    (goal: at most 150 ms)");
        Console.WriteLine($"start to enrolled, dialled at once {Measured.Milliseconds(Measured.Median(enrolled))}");
        Console.WriteLine($"beside it: start to --version      {Measured.Milliseconds(Measured.Median(version))}");
        Console.WriteLine($"resident with one running pod      {await ResidentAsync(root),8:0.0} MB    (goal: at most 55 MB)");
        Console.WriteLine($"download, gzip                     {await CompressedAsync(agent),8:0.0} MB    (goal: at most 18 MB)");
    }

    // Serving is when the agent's own log says so: its port is open, and holds up who dials, before there is a server behind it.
    private static async Task<(double Serving, double Enrolled)> StartAsync(string agent)
    {
        var folder = Directory.CreateTempSubdirectory("kip-bench-").FullName;
        using var authority = CertificateAuthority.Create(TimeProvider.System);
        var port = FreePort();
        var connector = new GrpcAgentConnector(authority, TimeProvider.System, NullLogger<GrpcAgentConnector>.Instance, port);
        var cell = new CellRecord
        {
            Id = "cell-bench",
            Owner = "bench",
            State = CellState.Booting,
            StateSince = default,
            CreatedAt = default,
            LaunchToken = "bench",
            InstanceType = "bench",
            Zone = "bench",
            Address = "127.0.0.1",
        };
        var userData = Path.Combine(folder, "user-data");
        await File.WriteAllTextAsync(userData, new CellBootConfiguration
        {
            CellId = cell.Id,
            ControllerCa = authority.CertificatePem,
            EnrolmentToken = connector.GetEnrolmentToken(cell),
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
            var enrolling = EnrolAsync(connector, cell, begin, process);
            while (await process.StandardError.ReadLineAsync() is { } line)
            {
                if (line.Contains(" serves cell ", StringComparison.Ordinal))
                {
                    var serving = Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
                    return (serving, await enrolling);
                }
            }

            throw new InvalidOperationException("the agent ended");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<double> EnrolAsync(GrpcAgentConnector connector, CellRecord cell, long begin, Process process)
    {
        while (true)
        {
            try
            {
                await using var agent = await connector.ConnectAsync(cell, null, CancellationToken.None);
                return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
            }
            catch (AgentException) when (!process.HasExited)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, CancellationToken.None); // not yet
            }
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
