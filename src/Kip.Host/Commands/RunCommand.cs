using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Host.Configuration;
using Kip.Host.Standalone;
using Kip.Host.Terminal;
using Kip.Kubernetes;
using Kip.Kubernetes.Objects;
using Microsoft.Extensions.Logging;

namespace Kip.Host.Commands;

/// <summary><c>kip run pod.yaml</c>: one pod on one cell, from manifest to exit code.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var shared = new SharedOptions();
        var manifest = PodFile.CreateArgument();
        var cloud = CloudOption.Create("local for a cell on this machine, aws for one on EC2 as cloud.aws of provider.yaml says");
        var command = new Command("run", "Run a pod on a cell of its own, show its log, exit with its exit code") { manifest, cloud };
        shared.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
            RunAsync(parsed.GetRequiredValue(manifest), parsed.GetRequiredValue(cloud), shared.Read(parsed), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string path, string cloud, SharedOptions.Values flags, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var start = time.GetUtcNow();
        var settings = await HostSettings.LoadAsync(flags, cloud, cancellationToken).ConfigureAwait(false);
        await using var screen = new Screen(time);
        foreach (var warning in settings.Warnings)
        {
            screen.Say($"warning: {warning}");
        }

        var pod = await PodFile.ReadAsync(path, screen.Say, cancellationToken).ConfigureAwait(false);
        using var loggers = StandardErrorLogging.Create(flags.Verbose);
        var checking = Task.Run(() => Require(settings), cancellationToken);
        await using var host = await OpenAsync(settings, loggers, checking, cancellationToken).ConfigureAwait(false);
        await checking.ConfigureAwait(false);
        using var interruption = new Interruption(screen);
        var collecting = host.CollectAsync(cancellationToken);
        screen.SetActivity("looking for a machine that fits");
        Cell cell;
        try
        {
            cell = await host.Manager.RunPodAsync(pod, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CellException or CellConflictException or DriverException or IOException)
        {
            throw new HostException(ExitCodes.KipFailed, e.Message, e);
        }

        interruption.Attach(cell);
        var logs = AllContainers(pod).Select(c => PrintLogAsync(cell, c, Prefix(pod, c), screen, cancellationToken)).ToList();
        var timeline = new Timeline(screen, start);
        await foreach (var update in cell.WatchAsync(cancellationToken).ConfigureAwait(false))
        {
            timeline.Show(update);
        }

        await Task.WhenAll(logs).ConfigureAwait(false);
        try
        {
            foreach (var line in await collecting.ConfigureAwait(false))
            {
                screen.Say(line);
            }
        }
        catch (DriverException e)
        {
            screen.Say($"! what earlier runs left could not be removed: {e.Message}");
        }

        return ExitCode(await cell.PodEnded.ConfigureAwait(false), interruption.Happened, screen);
    }

    private static async Task<StandaloneHost> OpenAsync(HostSettings settings, ILoggerFactory loggers, Task checking, CancellationToken cancellationToken)
    {
        try
        {
            return await StandaloneHost.OpenAsync(settings, ofNode: false, loggers, cancellationToken).ConfigureAwait(false);
        }
        catch (HostException)
        {
            // What the machine lacks says more than what fails for want of it.
            await checking.ConfigureAwait(false);
            throw;
        }
    }

    private static void Require(HostSettings settings)
    {
        if (settings.Provider.Cloud is not LocalConfiguration)
        {
            return; // kip doctor --cloud looks; a launch says itself what it lacks
        }

        var missing = LocalRequirements.Check(settings.LocalOptions("run")).Where(static c => !c.Ok).ToList();
        if (missing.Count > 0)
        {
            throw new HostException(
                ExitCodes.KipFailed,
                $"this machine cannot run local cells:\n  {string.Join("\n  ", missing.Select(static m => $"{m.Name}: {m.Detail}{(m.Remedy is { } r ? $"\n    -> {r}" : "")}"))}");
        }
    }

    private static IEnumerable<Container> AllContainers(Pod pod) => (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers);

    private static byte[] Prefix(Pod pod, Container container) =>
        AllContainers(pod).Count() > 1 ? Encoding.UTF8.GetBytes($"[{container.Name}] ") : [];

    private static async Task PrintLogAsync(Cell cell, Container container, byte[] prefix, Screen screen, CancellationToken cancellationToken)
    {
        var atLineStart = true;
        try
        {
            await foreach (var entry in cell.ReadLogsAsync(new LogQuery { Container = container.Name, Follow = true }, cancellationToken).ConfigureAwait(false))
            {
                screen.Write(atLineStart ? prefix : [], entry.Data.Span);
                atLineStart = entry.Data.Length > 0 && entry.Data.Span[^1] == (byte)'\n';
            }
        }
        catch (AgentException e)
        {
            screen.Say($"! the log of {container.Name} cannot be read: {e.Message}");
        }
    }

    /// <summary>That of the first init container that failed, else of the first container that did, else 0.</summary>
    private static int ExitCode(PodStatus status, bool interrupted, Screen screen)
    {
        if (interrupted)
        {
            return ExitCodes.Interrupted;
        }

        if (status.Phase == PodPhase.Succeeded)
        {
            return ExitCodes.Ok;
        }

        if (status.Reason is { } reason)
        {
            screen.Say($"kip: {reason}: {status.Message}");
        }

        foreach (var container in (status.InitContainerStatuses ?? []).Concat(status.ContainerStatuses ?? []))
        {
            if (container.State?.Terminated is { ExitCode: not 0 } end)
            {
                screen.Say($"kip: container {container.Name} ended with exit code {end.ExitCode}: {end.Reason}{(end.Message is { Length: > 0 } m ? $": {m}" : "")}");
                return end.ExitCode;
            }
        }

        return ExitCodes.KipFailed;
    }

    /// <summary>Ctrl-C: the first stops the pod gracefully, the second at once, the third leaves the rest to the next command.</summary>
    private sealed class Interruption : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly Screen _screen;
        private readonly List<PosixSignalRegistration> _registrations = [];
        private Cell? _cell;
        private int _count;

        public Interruption(Screen screen)
        {
            _screen = screen;
            foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP })
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, Handle));
            }
        }

        public bool Happened => Volatile.Read(ref _count) > 0;

        public void Attach(Cell cell)
        {
            int count;
            lock (_lock)
            {
                _cell = cell;
                count = _count;
            }

            if (count > 0)
            {
                _ = StopAsync(cell, count);
            }
        }

        public void Dispose() => _registrations.ForEach(static r => r.Dispose());

        private void Handle(PosixSignalContext context)
        {
            Cell? cell;
            int count;
            lock (_lock)
            {
                count = ++_count;
                cell = _cell;
            }

            if (count > 2)
            {
                return; // the default: the process ends, and the next command cleans up
            }

            context.Cancel = true;
            _screen.Say(count == 1 ? "stopping the pod; once more to kill it" : "killing the pod");
            if (cell is not null)
            {
                _ = StopAsync(cell, count);
            }
        }

        private async Task StopAsync(Cell cell, int count)
        {
            try
            {
                await cell.StopPodAsync(count == 1 ? null : TimeSpan.Zero, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e) when (e is CellConflictException or AgentException or IOException or ObjectDisposedException)
            {
                _screen.Say($"! the pod could not be stopped: {e.Message}");
            }
        }
    }
}
