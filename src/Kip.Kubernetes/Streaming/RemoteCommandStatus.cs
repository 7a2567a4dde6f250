using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kip.Kubernetes.Streaming;

/// <summary>How an exec or attach ended: the object that goes over the error stream.</summary>
public sealed record RemoteCommandStatus
{
    private const string Success = "Success";
    private const string Failure = "Failure";
    private const string NonZeroExitCode = "NonZeroExitCode";
    private const string ExitCodeCause = "ExitCode";
    private const string InternalErrorReason = "InternalError";
    private const int InternalServerError = 500;

    private RemoteCommandStatus(int? exitCode, string message)
    {
        ExitCode = exitCode;
        Message = message;
    }

    /// <summary>The command's exit code; null when it could not be run or its end was not seen.</summary>
    public int? ExitCode { get; }

    /// <summary>What went wrong; empty when nothing did.</summary>
    public string Message { get; }

    /// <summary>The command ended.</summary>
    public static RemoteCommandStatus Exited(int exitCode) =>
        new(exitCode, exitCode == 0 ? "" : $"command terminated with non-zero exit code: exit status {exitCode}");

    /// <summary>The command could not be run, or was lost.</summary>
    public static RemoteCommandStatus Failed(string message) => new(null, message);

    /// <summary>Reads what came over the error stream: a status object, or from version 1 to 3 of the protocol plain text.</summary>
    public static RemoteCommandStatus Parse(ReadOnlySpan<byte> bytes, string protocol)
    {
        if (bytes.IsEmpty)
        {
            return Exited(0);
        }

        return IsObject(protocol) ? ParseObject(bytes) : Failed(Encoding.UTF8.GetString(bytes));
    }

    /// <summary>Writes what goes over the error stream.</summary>
    public byte[] Serialize(string protocol)
    {
        return IsObject(protocol) ? JsonSerializer.SerializeToUtf8Bytes(ToWire(), RemoteCommandJsonContext.Default.StatusWire)
            : ExitCode == 0 ? []
            : Encoding.UTF8.GetBytes(Message);
    }

    /// <summary>Whether the protocol reports the end as an object, success too, or as plain text, success as none.</summary>
    internal static bool IsObject(string protocol) =>
        protocol is RemoteCommandProtocol.V4 or RemoteCommandProtocol.V5 or RemoteCommandProtocol.V4Base64;

    private static RemoteCommandStatus ParseObject(ReadOnlySpan<byte> bytes)
    {
        StatusWire? status;
        try
        {
            status = JsonSerializer.Deserialize(bytes, RemoteCommandJsonContext.Default.StatusWire);
        }
        catch (JsonException)
        {
            return Failed("the end of the command was reported in a way that cannot be read: " + Encoding.UTF8.GetString(bytes));
        }

        if (status?.Status == Success)
        {
            return Exited(0);
        }

        var cause = status?.Details?.Causes?.FirstOrDefault(cause => cause.Reason == ExitCodeCause)?.Message;
        return status?.Reason == NonZeroExitCode
            && int.TryParse(cause, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exitCode)
                ? new(exitCode, status.Message ?? "")
                : Failed(status?.Message ?? "the command failed without a message");
    }

    private StatusWire ToWire() => ExitCode switch
    {
        0 => new StatusWire { Status = Success },
        { } exitCode => new StatusWire
        {
            Status = Failure,
            Message = Message,
            Reason = NonZeroExitCode,
            Details = new StatusDetailsWire
            {
                Causes = [new StatusCauseWire { Reason = ExitCodeCause, Message = exitCode.ToString(CultureInfo.InvariantCulture) }],
            },
        },
        null => new StatusWire { Status = Failure, Message = Message, Reason = InternalErrorReason, Code = InternalServerError },
    };
}

internal sealed class StatusWire
{
    public Dictionary<string, string> Metadata { get; init; } = [];

    public string? Status { get; init; }

    public string? Message { get; init; }

    public string? Reason { get; init; }

    public StatusDetailsWire? Details { get; init; }

    public int? Code { get; init; }
}

internal sealed class StatusDetailsWire
{
    public List<StatusCauseWire>? Causes { get; init; }
}

internal sealed class StatusCauseWire
{
    public string? Reason { get; init; }

    public string? Message { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StatusWire))]
[JsonSerializable(typeof(TerminalSize))]
internal sealed partial class RemoteCommandJsonContext : JsonSerializerContext;
