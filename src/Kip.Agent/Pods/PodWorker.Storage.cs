using Kip.Agent.Storage;

namespace Kip.Agent.Pods;

/// <summary>The pod's limits on the disk: what it takes is measured every now and then, and one that is exceeded ends the pod.</summary>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan MeasureInterval = TimeSpan.FromSeconds(10);

    // A tree of millions of files takes its time: no more than a tenth of it all goes to counting.
    private const int MeasurePauses = 10;

    private bool _measuring;
    private DateTimeOffset _measureAt;

    private void EnforceStorage(PodContext pod)
    {
        var now = _time.GetUtcNow();
        if (_measuring || pod.Record.Stop is not null || now < _measureAt || !StorageLimits.HasAny(pod.Pod))
        {
            return;
        }

        _measuring = true;
        var began = _time.GetTimestamp();
        Begin(
            token => _storage.MeasureAsync(pod.Pod, token),
            (usage, error) =>
            {
                var pause = _time.GetElapsedTime(began) * MeasurePauses;
                _measureAt = _time.GetUtcNow() + (pause > MeasureInterval ? pause : MeasureInterval);
                _measuring = false;
                if (error is not null)
                {
                    Trouble(error, "measure what the pod takes of the disk");
                }
                else if (pod.Record.Stop is null && StorageLimits.Exceeded(pod.Pod, usage!) is { } message)
                {
                    pod.BeginStop(_time.GetUtcNow(), StorageLimits.Evicted, message);
                    Save();
                    _parts.Board.Event("Warning", StorageLimits.Evicted, message);
                    _lookAgain = true;
                }
            },
            countsAsChange: false);
    }
}
