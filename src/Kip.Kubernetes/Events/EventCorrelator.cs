using Kip.Kubernetes.Objects;

namespace Kip.Kubernetes.Events;

/// <summary>
/// Decides what becomes of an event: nothing when its object has had too many, a new count when it was written before, one event for
/// all when many differ only in their message. The same rules and figures as client-go's EventCorrelator.
/// </summary>
internal sealed class EventCorrelator(EventRecorderOptions options)
{
    private readonly RecentMap<(InvolvedId Involved, string Type, string Reason, string Message), WrittenEvent> _written = new(options.Memory);
    private readonly RecentMap<(InvolvedId Involved, string Type, string Reason), Similar> _similar = new(options.Memory);
    private readonly RecentMap<InvolvedId, Allowance> _allowances = new(options.Memory);

    /// <summary>The event to write to, and its message; null when the object has had too many.</summary>
    public (WrittenEvent Event, string Message)? Correlate(RecordedEvent recorded)
    {
        var involved = InvolvedId.Of(recorded.Involved);
        var message = recorded.Message;
        var key = message;
        if (IsOneOfMany(involved, recorded))
        {
            // All of them are one event, whatever it says today.
            key = "";
            message = $"(combined from similar events): {message}";
        }

        if (!_allowances.GetOrAdd(involved, () => new Allowance(options.Burst)).Take(options, recorded.At))
        {
            return null;
        }

        return (_written.GetOrAdd((involved, recorded.Type, recorded.Reason, key), () => new WrittenEvent()), message);
    }

    private bool IsOneOfMany(InvolvedId involved, RecordedEvent recorded)
    {
        var similar = _similar.GetOrAdd((involved, recorded.Type, recorded.Reason), () => new Similar());
        if (recorded.At - similar.Last > options.SimilarWindow)
        {
            similar.Messages.Clear();
        }

        similar.Last = recorded.At;
        if (similar.Messages.Count < options.SimilarMessages)
        {
            similar.Messages.Add(recorded.Message);
            return similar.Messages.Count >= options.SimilarMessages;
        }

        return true;
    }

    private readonly record struct InvolvedId(string? Kind, string? Namespace, string? Name, string? Uid, string? FieldPath)
    {
        public static InvolvedId Of(ObjectReference value) => new(value.Kind, value.Namespace, value.Name, value.Uid, value.FieldPath);
    }

    private sealed class Similar
    {
        public HashSet<string> Messages { get; } = new(StringComparer.Ordinal);

        public DateTimeOffset Last { get; set; }
    }

    private sealed class Allowance(int burst)
    {
        private double _left = burst;
        private DateTimeOffset? _at;

        public bool Take(EventRecorderOptions options, DateTimeOffset now)
        {
            _left = Math.Min(options.Burst, _left + ((now - (_at ?? now)) / options.Refill));
            _at = now;
            if (_left < 1)
            {
                return false;
            }

            _left--;
            return true;
        }
    }
}

/// <summary>An event as its recorder said it.</summary>
internal sealed record RecordedEvent(ObjectReference Involved, string Type, string Reason, string Message, DateTimeOffset At);

/// <summary>An event as the API server has it.</summary>
internal sealed class WrittenEvent
{
    /// <summary>Where it is; null while it was never written.</summary>
    public ObjectKey? Key { get; set; }

    public int Count { get; set; }
}
