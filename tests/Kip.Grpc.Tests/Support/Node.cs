using System.Diagnostics;

namespace Kip.Grpc.Tests.Support;

/// <summary>Runs the JavaScript side with npm's <c>@grpc/grpc-js</c>.</summary>
internal static class Node
{
    private static readonly string Scripts = Path.Combine(AppContext.BaseDirectory, "js");

    // One installation for all tests of this process; the script itself is safe between processes.
    private static readonly Lazy<Task<string>> Packages = new(InstallAsync);

    /// <summary>Why JavaScript tests cannot run here; null if they can.</summary>
    public static string? MissingReason { get; } =
        OnPath("node") && OnPath("npm") ? null : "node and npm are not installed (Debian: apt-get install nodejs npm)";

    /// <summary>Starts a script of the <c>js</c> folder; it lives no longer than its standard input.</summary>
    public static async Task<Process> StartAsync(string script, params string[] arguments)
    {
        string packages = await Packages.Value.Within("npm ci of the JavaScript packages");
        return Start("node", [Path.Combine(Scripts, script), .. arguments], info => info.Environment["NODE_PACKAGES"] = packages);
    }

    /// <summary>Runs a script to its end and fails with what it printed if it fails.</summary>
    public static async Task RunAsync(string script, params string[] arguments)
    {
        using Process process = await StartAsync(script, arguments);
        await FinishAsync(process, $"{script} {string.Join(' ', arguments)}");
    }

    private static async Task<string> InstallAsync()
    {
        // Beside the build output: .../artifacts/bin/PROJECT/CONFIGURATION/ -> .../artifacts/node
        string cache = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../node"));
        using Process process = Start("bash", [Path.Combine(Scripts, "install.sh"), cache]);
        return (await FinishAsync(process, "install.sh")).Trim();
    }

    private static Process Start(string program, IEnumerable<string> arguments, Action<ProcessStartInfo>? configure = null)
    {
        var info = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        configure?.Invoke(info);
        return Process.Start(info)!;
    }

    private static async Task<string> FinishAsync(Process process, string what)
    {
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> errors = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync().Within($"the end of {what}");
            Assert.True(process.ExitCode == 0, $"{what} ended with {process.ExitCode}:\n{await output}{await errors}");
            return await output;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    public static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}

/// <summary>A test that needs node.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeFactAttribute : FactAttribute
{
    public NodeFactAttribute() => Skip = Node.MissingReason;
}

/// <summary>A theory that needs node.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeTheoryAttribute : TheoryAttribute
{
    public NodeTheoryAttribute() => Skip = Node.MissingReason;
}
