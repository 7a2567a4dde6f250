using System.Diagnostics;
using System.Text;
using System.Threading.Channels;

namespace Kip.Tests.Support;

/// <summary>
/// A real etcd, kube-apiserver and, unless left out, kube-scheduler and kube-controller-manager of a test's own, held by <c>eng/control-plane hold</c>:
/// own address, ports, folder. They end with this object, and also when the test process is killed, because their holder's standard input ends then.
/// </summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    public const string ApiServer = "kube-apiserver";
    public const string Scheduler = "kube-scheduler";
    public const string ControllerManager = "kube-controller-manager";
    public const string Etcd = "etcd";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly Lazy<string?> FoundPrograms = new(FindPrograms);

    private readonly Process _holder;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();
    private readonly StringBuilder _errors = new();
    private readonly SemaphoreSlim _oneCommand = new(1);

    private ControlPlane(string directory, Process holder)
    {
        Directory = directory;
        Holder = holder.Id;
        _holder = holder;
    }

    /// <summary>Its folder: the kubeconfig, certificates in <c>pki/</c>, and a log of each program, <c>kube-apiserver.log</c> for one.</summary>
    public string Directory { get; }

    /// <summary>A kubeconfig file of an administrator.</summary>
    public string Kubeconfig => Path.Combine(Directory, "kubeconfig");

    /// <summary>Where the API server is.</summary>
    public Uri Server { get; private set; } = new("https://unset");

    /// <summary>The process that holds it: when it dies, the programs do.</summary>
    public int Holder { get; }

    /// <summary>What stands in the way of a control plane on this machine, or null.</summary>
    public static string? Missing() =>
        !Environment.IsPrivilegedProcess ? "a control plane needs root"
        : FoundPrograms.Value is null ? "no programs of a control plane: ./test or eng/control-plane build gets them"
        : null;

    /// <summary>Starts one and waits until it can be used: the API server is ready, the controllers have made the first service account.</summary>
    /// <param name="without">The programs to leave out: <see cref="Scheduler"/>, <see cref="ControllerManager"/>.</param>
    /// <param name="apiServerFlags">Further flags for kube-apiserver; <c>{pki}</c> in them stands for the folder of certificates.</param>
    public static async Task<ControlPlane> StartAsync(IReadOnlyList<string>? without = null, IReadOnlyList<string>? apiServerFlags = null)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"kip-control-plane-{Guid.NewGuid():N}");
        var start = new ProcessStartInfo(Script, ["hold", "--state", directory])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["KIP_CONTROL_PLANE"] = FoundPrograms.Value ?? throw new InvalidOperationException(Missing());
        if (without is { Count: > 0 })
        {
            start.ArgumentList.Add("--without");
            start.ArgumentList.Add(string.Join(',', without));
        }

        foreach (var flag in apiServerFlags ?? [])
        {
            start.ArgumentList.Add("--apiserver-flag");
            start.ArgumentList.Add(flag);
        }

        var plane = new ControlPlane(directory, Process.Start(start) ?? throw new InvalidOperationException($"{Script} did not start"));
        plane.Listen();
        try
        {
            await plane.AnswerAsync("the control plane to be ready", "ready ");
            plane.Server = new Uri($"https://{(await File.ReadAllTextAsync(Path.Combine(directory, "address"))).Trim()}:6443");
            return plane;
        }
        catch
        {
            await plane.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a program that does not run, and waits until it answers.</summary>
    public Task StartAsync(string program) => CommandAsync("start", program);

    /// <summary>Asks a program to end (SIGTERM) and waits until it has.</summary>
    public Task StopAsync(string program) => CommandAsync("stop", program);

    /// <summary>Kills a program (SIGKILL) and waits until it is gone.</summary>
    public Task KillAsync(string program) => CommandAsync("kill", program);

    /// <summary>Stops a program's clock (SIGSTOP): its connections stay open and nothing answers.</summary>
    public Task PauseAsync(string program) => CommandAsync("pause", program);

    /// <summary>Lets a paused program go on.</summary>
    public Task ResumeAsync(string program) => CommandAsync("resume", program);

    /// <summary>Makes a kubeconfig file for another user, and returns its path. A node is <c>system:node:NAME</c> of the group <c>system:nodes</c>.</summary>
    public async Task<string> KubeconfigForAsync(string user, params string[] groups)
    {
        var run = await RunAsync(Script, null, ["kubeconfig", "--state", Directory, "--user", user, .. groups.SelectMany(static g => new[] { "--group", g })]);
        run.MustSucceed();
        var file = Path.Combine(Directory, $"{Guid.NewGuid():N}.kubeconfig");
        await File.WriteAllTextAsync(file, run.Output);
        return file;
    }

    /// <summary>Runs kubectl as the administrator and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">It did not exit with 0; the message has what it said.</exception>
    public async Task<string> KubectlAsync(params string[] arguments) => (await TryKubectlAsync(null, arguments)).MustSucceed().Output;

    /// <summary>Applies a manifest.</summary>
    public async Task ApplyAsync(string yaml) => (await TryKubectlAsync(yaml, "apply", "-f", "-")).MustSucceed();

    /// <summary>Runs kubectl as the administrator, with something on its standard input if wanted, whatever comes of it.</summary>
    public Task<ToolRun> TryKubectlAsync(string? input, params string[] arguments) => RunAsync(Kubectl, input, ["--kubeconfig", Kubeconfig, .. arguments]);

    /// <summary>Ends it and removes all that it left.</summary>
    public async ValueTask DisposeAsync()
    {
        _holder.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await _holder.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _holder.Kill(entireProcessTree: true);
            throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for the control plane in {Directory} to end; it said: {Errors}");
        }
        finally
        {
            _holder.Dispose();
            _oneCommand.Dispose();
        }
    }

    private static string Script => Path.Combine(Repository.Root, "eng", "control-plane");

    private static string Kubectl => Path.Combine(FoundPrograms.Value ?? "", "kubectl") is var built && File.Exists(built) ? built : "kubectl";

    private string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString();
            }
        }
    }

    private static string? FindPrograms()
    {
        using var process = Process.Start(new ProcessStartInfo(Script, ["where"]) { RedirectStandardOutput = true, RedirectStandardError = true });
        var folder = process?.StandardOutput.ReadToEnd().Trim();
        process?.WaitForExit();
        return process?.ExitCode == 0 ? folder : null;
    }

    private static async Task<ToolRun> RunAsync(string program, string? input, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.StandardInput.WriteAsync(input.AsMemory(), limit.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(limit.Token);
            return new ToolRun($"{program} {string.Join(' ', start.ArgumentList)}", process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for {program} {string.Join(' ', start.ArgumentList)} to end");
        }
    }

    private void Listen()
    {
        _holder.OutputDataReceived += (_, line) =>
        {
            if (line.Data is { } text)
            {
                _answers.Writer.TryWrite(text);
            }
            else
            {
                _answers.Writer.TryComplete();
            }
        };
        _holder.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.AppendLine(line.Data);
            }
        };
        _holder.BeginOutputReadLine();
        _holder.BeginErrorReadLine();
    }

    private async Task CommandAsync(string verb, string program)
    {
        await _oneCommand.WaitAsync();
        try
        {
            await _holder.StandardInput.WriteLineAsync($"{verb} {program}");
            await _holder.StandardInput.FlushAsync();
            await AnswerAsync($"the control plane to {verb} {program}", "ok");
        }
        finally
        {
            _oneCommand.Release();
        }
    }

    private async Task AnswerAsync(string what, string wanted)
    {
        using var limit = new CancellationTokenSource(Patience);
        string answer;
        try
        {
            answer = await _answers.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"waited {Patience.TotalSeconds:0} s for {what}; it said: {Errors}");
        }
        catch (ChannelClosedException)
        {
            throw new InvalidOperationException($"the control plane ended while waiting for {what}; it said: {Errors}");
        }

        if (!answer.StartsWith(wanted, StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"waiting for {what}: {answer}; it said: {Errors}");
        }
    }
}

/// <summary>How a program ended.</summary>
internal sealed record ToolRun(string Command, int ExitCode, string Output, string Errors)
{
    public ToolRun MustSucceed() => ExitCode == 0 ? this : throw new InvalidOperationException(ToString());

    public override string ToString() => $"{Command} exited with {ExitCode}\n{Output}{Errors}";
}
