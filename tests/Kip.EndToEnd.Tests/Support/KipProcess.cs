using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>How a kip command ended, and all it wrote.</summary>
internal sealed record KipResult(int ExitCode, string Output, string Errors)
{
    public IReadOnlyList<string> OutputLines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public IReadOnlyList<string> ErrorLines => Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public override string ToString() => $"exit code {ExitCode}\n--- stdout\n{Output}\n--- stderr\n{Errors}";
}

/// <summary>A kip command that runs, as its user sees it: two streams, signals, an exit code.</summary>
internal sealed class KipProcess : IDisposable
{
    private readonly Process _process;
    private readonly Capture _output;
    private readonly Capture _errors;

    public KipProcess(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        _process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start");
        _process.StandardInput.Close();
        _output = new Capture(_process.StandardOutput.BaseStream);
        _errors = new Capture(_process.StandardError.BaseStream);
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>What was written until now.</summary>
    public string Output => _output.Text;

    public string Errors => _errors.Text;

    /// <summary>Waits until the pod's log has this in it.</summary>
    public Task PrintsAsync(string text) => AwaitAsync($"'{text}' on stdout", () => Output.Contains(text, StringComparison.Ordinal));

    /// <summary>Waits until kip has said this on stderr.</summary>
    public Task SaysAsync(string text) => AwaitAsync($"'{text}' on stderr", () => Errors.Contains(text, StringComparison.Ordinal));

    public Task SignalAsync(string signal) => Tool.SignalAsync(signal, Id);

    public async Task<KipResult> EndsAsync()
    {
        await Wait.UntilAsync("kip ends", () => _process.HasExited, Describe);
        await Task.WhenAll(_output.Ended, _errors.Ended).WaitAsync(Wait.Patience, TimeProvider.System);
        return new KipResult(_process.ExitCode, Output, Errors);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private async Task AwaitAsync(string what, Func<bool> condition)
    {
        await Wait.UntilAsync(what, () => condition() || _process.HasExited, Describe);
        if (!condition())
        {
            await EndsAsync();
            Assert.True(condition(), $"kip ended without {what}\n{Describe()}");
        }
    }

    private string Describe() => $"--- stdout\n{Output}\n--- stderr\n{Errors}";

    private sealed class Capture
    {
        private readonly Lock _lock = new();
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public Capture(Stream stream) => Ended = ReadAsync(stream);

        public Task Ended { get; }

        public string Text
        {
            get
            {
                lock (_lock)
                {
                    return Encoding.UTF8.GetString(_bytes.WrittenSpan);
                }
            }
        }

        private async Task ReadAsync(Stream stream)
        {
            var buffer = new byte[16384];
            int count;
            while ((count = await stream.ReadAsync(buffer)) > 0)
            {
                lock (_lock)
                {
                    _bytes.Write(buffer.AsSpan(0, count));
                }
            }
        }
    }
}
