using Kip.Agents.Protocol;

namespace Kip.Agent.Volumes;

/// <summary>How far the pod's volumes are. Owned by the worker's loop.</summary>
internal sealed class VolumeProgress
{
    /// <summary>The resolved volumes as they came last; null when they lie on the cell, or an earlier run of the agent was given them.</summary>
    public IReadOnlyList<ResolvedVolume>? Contents { get; private set; }

    /// <summary>Counts what came.</summary>
    public int Wanted { get; private set; } = 1;

    /// <summary>The last of them that is on the cell; 0 before the first.</summary>
    public int Done { get; private set; }

    public bool Busy { get; set; }

    /// <summary>Whether all is unmounted that was mounted for the pod.</summary>
    public bool Released { get; set; }

    public DateTimeOffset NotBefore { get; set; }

    public TimeSpan Backoff { get; set; }

    /// <summary>Takes newer contents, or a pod whose fields may be files.</summary>
    public void Take(IReadOnlyList<ResolvedVolume> contents)
    {
        Contents = contents;
        Wanted++;
        NotBefore = default;
    }

    /// <summary>What was wanted then is on the cell; secrets need not lie here as well.</summary>
    public void Succeeded(int wanted)
    {
        (Done, Backoff) = (wanted, TimeSpan.Zero);
        if (Wanted == wanted)
        {
            Contents = null;
        }
    }
}
