using System.Globalization;
using Kip.Agents;
using Microsoft.AspNetCore.Http;

namespace Kip.VirtualKubelet.Server;

/// <summary>What a request for a container's log asks for (k8s.io/api/core/v1 PodLogOptions).</summary>
/// <param name="Query">What the cell is asked.</param>
/// <param name="Timestamps">Each line begins with its time.</param>
/// <param name="LimitBytes">No more than so much; null for all.</param>
internal sealed record LogRequest(LogQuery Query, bool Timestamps, long? LimitBytes)
{
    /// <summary>Reads it; null, with what is wrong, when it cannot be understood.</summary>
    public static LogRequest? Read(IQueryCollection query, string container, DateTimeOffset now, out string problem)
    {
        problem = "";
        var isRead = TryReadFlag(query, "follow", out var follow)
            & TryReadFlag(query, "previous", out var previous)
            & TryReadFlag(query, "timestamps", out var timestamps)
            & TryReadNumber(query, "tailLines", out var tail)
            & TryReadNumber(query, "sinceSeconds", out var sinceSeconds)
            & TryReadNumber(query, "limitBytes", out var limit)
            & TryReadTime(query, "sinceTime", out var sinceTime);
        if (!isRead)
        {
            problem = "{\"message\": \"Unable to decode query.\"}";
            return null;
        }

        if (tail < 0 || limit < 1 || sinceSeconds < 1 || (sinceSeconds is not null && sinceTime is not null))
        {
            problem = "{\"message\": \"Invalid request.\"}";
            return null;
        }

        var since = sinceSeconds is { } seconds
            ? now - TimeSpan.FromSeconds(Math.Min(seconds, (now - DateTimeOffset.UnixEpoch).TotalSeconds))
            : sinceTime;
        return new(
            new LogQuery { Container = container, Follow = follow, Previous = previous, TailLines = tail, Since = since },
            timestamps,
            limit);
    }

    private static bool TryReadFlag(IQueryCollection query, string name, out bool value)
    {
        var text = query[name].ToString();
        value = text is "1" or "t" or "T" or "true" or "TRUE" or "True";
        return value || text is "" or "0" or "f" or "F" or "false" or "FALSE" or "False";
    }

    private static bool TryReadNumber(IQueryCollection query, string name, out long? value)
    {
        var text = query[name].ToString();
        var isNumber = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number);
        value = isNumber ? number : null;
        return isNumber || text.Length == 0;
    }

    private static bool TryReadTime(IQueryCollection query, string name, out DateTimeOffset? value)
    {
        var text = query[name].ToString();
        var isTime = DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time);
        value = isTime ? time : null;
        return isTime || text.Length == 0;
    }
}
