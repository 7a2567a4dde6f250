using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Kip.Kubernetes.Tests;

/// <summary>The real kubectl as referee: it reads a manifest with Kubernetes' own code and prints it as JSON.</summary>
internal static class Kubectl
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static string? WhyAbsent { get; } = Probe();

    /// <summary>The pod of a manifest, with annotation <c>seen: yes</c> added.</summary>
    public static async Task<(JsonNode? Pod, string Error)> ReadAsync(string manifest)
    {
        var start = new ProcessStartInfo("kubectl", ["annotate", "--local", "-f", "-", "seen=yes", "-o", "json"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["KUBECONFIG"] = "/dev/null";
        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(Patience);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            var error = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.StandardInput.WriteAsync(manifest.AsMemory(), timeout.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(timeout.Token);
            return process.ExitCode == 0 ? (JsonNode.Parse(await output), "") : (null, await error);
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            throw new TimeoutException($"kubectl did not read the manifest within {Patience.TotalSeconds} s", e);
        }
    }

    private static string? Probe()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("kubectl", ["version", "--client"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return null;
        }
        catch (Win32Exception)
        {
            return "there is no kubectl on the PATH";
        }
    }
}

/// <summary>A test that is skipped where there is no kubectl.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class KubectlFactAttribute : FactAttribute
{
    public KubectlFactAttribute() => Skip = Kubectl.WhyAbsent!;
}
