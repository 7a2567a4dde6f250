using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Kip.Agents;

namespace Kip.VirtualKubelet.Tests;

/// <summary>A command that is a process of this machine. Sizes of a terminal come as its output.</summary>
internal sealed class ProcessSession : IContainerSession
{
    private readonly Process _process;
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<int> _exitCode = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<SessionOutput> _output = Channel.CreateBounded<SessionOutput>(4);

    public ProcessSession(IReadOnlyList<string> command, bool hasInput)
    {
        try
        {
            _process = Process.Start(new ProcessStartInfo(command[0], command.Skip(1))
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new AgentException(AgentErrorKind.Refused, $"cannot run {command[0]}: {error.Message}", error);
        }

        if (!hasInput)
        {
            _process.StandardInput.Close();
        }

        _ = RunAsync();
    }

    public Task<int> ExitCode => _exitCode.Task;

    /// <summary>Completes when the session was let go.</summary>
    public Task Disposed => _disposed.Task;

    public async ValueTask WriteInputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        try
        {
            await _process.StandardInput.BaseStream.WriteAsync(data, cancellationToken);
            await _process.StandardInput.BaseStream.FlushAsync(cancellationToken);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // It has ended.
        }
    }

    public ValueTask CloseInputAsync(CancellationToken cancellationToken)
    {
        _process.StandardInput.Close();
        return ValueTask.CompletedTask;
    }

    public async ValueTask ResizeAsync(int columns, int rows, CancellationToken cancellationToken)
    {
        try
        {
            await _output.Writer.WriteAsync(new(false, System.Text.Encoding.ASCII.GetBytes($"[{columns}x{rows}]\n")), cancellationToken);
        }
        catch (ChannelClosedException)
        {
            // It has ended.
        }
    }

    public async IAsyncEnumerable<SessionOutput> ReadOutputAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var output in _output.Reader.ReadAllAsync(cancellationToken))
        {
            yield return output;
        }
    }

    public ValueTask DisposeAsync()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }

        _output.Writer.TryComplete();
        _disposed.TrySetResult();
        return ValueTask.CompletedTask;
    }

    private async Task RunAsync()
    {
        try
        {
            await Task.WhenAll(
                PumpAsync(_process.StandardOutput.BaseStream, isError: false), PumpAsync(_process.StandardError.BaseStream, isError: true));
            await _process.WaitForExitAsync();
            _exitCode.TrySetResult(_process.ExitCode);
            _output.Writer.TryComplete();
        }
        catch (ChannelClosedException)
        {
            _exitCode.TrySetCanceled();
        }
    }

    /// <summary>On a thread of its own: .NET reads a pipe by blocking, and the pool's threads are few.</summary>
    private Task PumpAsync(Stream from, bool isError) => Task.Factory.StartNew(
        () =>
        {
            while (true)
            {
                var buffer = new byte[32 * 1024];
                var count = from.Read(buffer);
                if (count == 0)
                {
                    return;
                }

                _output.Writer.WriteAsync(new(isError, buffer.AsMemory(0, count))).AsTask().GetAwaiter().GetResult();
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
