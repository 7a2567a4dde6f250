using System.ComponentModel;
using System.Diagnostics;

namespace Kip.Drivers.Local.Host;

/// <summary>Runs one of the machine's own programs.</summary>
internal static class Command
{
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(30);

    /// <summary>Runs a program to its end, with a text as its standard input.</summary>
    /// <exception cref="DriverException">It could not be started, took too long, or failed; the message holds what it wrote to stderr.</exception>
    public static async Task RunAsync(
        string program, IEnumerable<string> arguments, string input, TimeProvider timeProvider, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Start(start);
        using var limit = new CancellationTokenSource(TimeLimit, timeProvider);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(either.Token);
            var errors = process.StandardError.ReadToEndAsync(either.Token);
            try
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), either.Token);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading everything: its exit status and stderr tell why.
            }

            await output;
            var message = (await errors).Trim();
            await process.WaitForExitAsync(either.Token);
            if (process.ExitCode != 0)
            {
                throw new DriverException(
                    DriverErrorKind.Transient, $"{program} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}: {message}");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DriverException(DriverErrorKind.Transient, $"{program} did not end within {TimeLimit.TotalSeconds:0} s");
        }
        finally
        {
            if (!process.HasExited)
            {
                // Until it is gone it may still be changing what the caller is about to undo.
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
    }

    /// <summary>Starts a program.</summary>
    /// <exception cref="DriverException">The system refuses.</exception>
    public static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new DriverException(DriverErrorKind.Transient, $"{start.FileName} did not start");
        }
        catch (Win32Exception exception)
        {
            throw new DriverException(DriverErrorKind.Transient, $"cannot start {start.FileName}: {exception.Message}", exception);
        }
    }
}
