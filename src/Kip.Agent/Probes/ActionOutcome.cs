using System.Buffers;
using System.Text;

namespace Kip.Agent.Probes;

/// <summary>How an action ended.</summary>
internal enum ActionResult
{
    Success,
    /// <summary>It counts as a success, and something about it is worth telling.</summary>
    Warning,
    Failure,
    /// <summary>It could not be carried out, which says nothing about the container.</summary>
    Unknown,
}

/// <summary>How an action ended, and what it had to say.</summary>
/// <param name="Result">How it ended.</param>
/// <param name="Output">For a reader of events: the output of a command, the reason of a failure; at most 10 KiB.</param>
internal readonly record struct ActionOutcome(ActionResult Result, string Output)
{
    /// <summary>The kubelet's limit, in bytes.</summary>
    public const int MaximumOutput = 10 << 10;

    /// <summary>A server answered, if only to say that it does not like the request.</summary>
    public bool HasAnswer { get; init; }

    public bool IsSuccess => Result is ActionResult.Success or ActionResult.Warning;

    public static ActionOutcome Success(string output = "") => new(ActionResult.Success, output);

    public static ActionOutcome Warning(string output) => new(ActionResult.Warning, output);

    public static ActionOutcome Failure(string output) => new(ActionResult.Failure, output);

    public static ActionOutcome Unknown(string output) => new(ActionResult.Unknown, output);

    /// <summary>The beginning of what was written, as text.</summary>
    public static string Text(ReadOnlySequence<byte> output) =>
        Encoding.UTF8.GetString(output.Slice(0, Math.Min(output.Length, MaximumOutput)));
}
