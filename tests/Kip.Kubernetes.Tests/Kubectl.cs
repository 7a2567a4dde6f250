using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Kip.Kubernetes.Tests;

/// <summary>The real kubectl as referee: it reads a manifest with Kubernetes' own code and prints it as JSON.</summary>
internal static class Kubectl
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static string? WhyAbsent { get; } = Probe();

    /// <summary>A pod through Kubernetes' own types: with every default of writing, without unknown fields.</summary>
    public static async Task<(JsonNode? Pod, string Error)> ReadPodAsync(string manifest)
    {
        var (pod, error) = await RunAsync(manifest, "set", "env");
        foreach (var list in (string[])["containers", "initContainers"])
        {
            foreach (var container in pod?["spec"]?[list]?.AsArray() ?? [])
            {
                var env = container!["env"]!.AsArray();
                env.RemoveAt(env.Count - 1);
                if (env.Count == 0)
                {
                    container.AsObject().Remove("env");
                }
            }
        }

        return (pod, error);
    }

    /// <summary>Any object as JSON, by YAML's rules alone.</summary>
    public static Task<(JsonNode? Value, string Error)> ReadAnyAsync(string manifest) => RunAsync(manifest, "annotate");

    private static async Task<(JsonNode? Value, string Error)> RunAsync(string manifest, params string[] command)
    {
        var start = new ProcessStartInfo("kubectl", [.. command, "--local", "-f", "-", "SEEN=yes", "-o", "json", "--show-managed-fields"])
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
