using Kip.Agents;
using Kip.Drivers;
using Kip.Sizing;

namespace Kip.Cells;

/// <content>From the plan to an instance with an address.</content>
internal sealed partial class CellReconciler
{
    private async Task LaunchAsync(CancellationToken cancellationToken)
    {
        var since = Now;
        var pause = FirstRetry;
        while (true)
        {
            var entered = Now;
            await AwaitTurnAsync(cancellationToken).ConfigureAwait(false);
            since += Now - entered; // the cloud has not had this time
            if (!_launchSent && _context.Refusals.Find(Record.InstanceType, Record.Zone, Record.CapacityType) is { } refused && _nextCandidate() is { } better)
            {
                await TakeAsync(better, $"refused to another cell: {refused.Kind}", cancellationToken).ConfigureAwait(false);
            }

            try
            {
                await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
                _launchSent = true;
                var instance = await BoundedAsync(ct => TryLaunchAsync(Record, ct), cancellationToken).ConfigureAwait(false);
                await UpdateAsync(r => Located(r, instance), cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (DriverException e)
            {
                if (e.SuggestsAlternative)
                {
                    _context.Refusals.Add(e.Kind, Record.InstanceType, Record.Zone, Record.CapacityType);
                    if (_nextCandidate() is { } next)
                    {
                        await TakeAsync(next, e.Message, cancellationToken).ConfigureAwait(false);
                        _launchSent = false;
                        continue;
                    }
                }

                if (e.Kind != DriverErrorKind.Throttled && (!e.IsRetryable || Now - since >= _context.Options.LaunchTimeout))
                {
                    throw new CellException("LaunchFailed", $"no cell could be launched: {e.Message}", e);
                }

                LogLaunchRetry(Record.Id, e.Message, pause);
                await Task.Delay(Jitter(pause), _context.Time, cancellationToken).ConfigureAwait(false);
                pause = Min(pause * 2, SlowestRetry);
            }
        }
    }

    /// <summary>Waits until the cloud takes another launch.</summary>
    private Task AwaitTurnAsync(CancellationToken cancellationToken) => _context.Driver.Launches.EnterAsync(
        Record.Pod is null ? int.MinValue : _cell.Assignment?.Pod.Spec.Priority ?? 0, // what nobody waits for is last
        Record.CreatedAt,
        (before, wait) =>
        {
            if (wait > QuietQueue)
            {
                var message = $"Waiting for the cloud's launch limit: {before} cells are before it, about {wait.TotalSeconds:0} s";
                _cell.Publish(CellUpdateKind.PodEvent, new AgentEvent(0, Now, "Normal", "LaunchQueued", message, null));
            }
        },
        cancellationToken);

    private Task TakeAsync(Candidate next, string why, CancellationToken cancellationToken)
    {
        LogAlternative(Record.Id, Record.InstanceType, Record.Zone, why, next.Type.Name, next.Offering.Zone);
        return UpdateAsync(r => r.With(For(next)), cancellationToken);
    }

    // Another type is another launch: it needs a token of its own, durable before the call.
    private static CellLaunch For(Candidate chosen) => new()
    {
        LaunchToken = CellManager.NewLaunchToken(),
        InstanceType = chosen.Type.Name,
        AttachedGpus = chosen.AttachedGpus,
        Zone = chosen.Offering.Zone,
        CapacityType = chosen.Offering.CapacityType,
        PricePerHour = chosen.PricePerHour,
    };

    private async Task<Instance> TryLaunchAsync(CellRecord record, CancellationToken cancellationToken)
    {
        var boot = new CellBootConfiguration
        {
            CellId = record.Id,
            ControllerCa = _context.Options.ControllerCa,
            EnrolmentToken = _context.Agents.GetEnrolmentToken(record),
            Registries = _context.Options.Registries,
            InterruptionNotices = record.CapacityType == CapacityType.Spot ? _context.Driver.Description.InterruptionNotices : null,
        };
        return await _context.Driver.LaunchAsync(
            new LaunchRequest
            {
                LaunchToken = record.LaunchToken,
                InstanceType = record.InstanceType,
                AttachedGpus = record.AttachedGpus,
                Zone = record.Zone,
                CapacityType = record.CapacityType,
                ImageId = await _context.Driver.ResolveImageAsync(_context.Options.Image, cancellationToken).ConfigureAwait(false),
                DiskBytes = record.DiskBytes,
                UserData = boot.ToJson(),
                Options = record.Options,
                Tags = Tags(record),
            },
            cancellationToken).ConfigureAwait(false);
    }

    private Dictionary<string, string> Tags(CellRecord record)
    {
        var tags = new Dictionary<string, string>
        {
            [InstanceTags.ControllerId] = _context.Driver.Description.ControllerId,
            [InstanceTags.CellId] = record.Id,
            [InstanceTags.Name] = "Kip standby",
        };
        if (record.Pod is { } pod)
        {
            tags[InstanceTags.Name] = $"Kip {pod}";
            tags[InstanceTags.PodNamespace] = pod.Namespace;
            tags[InstanceTags.PodName] = pod.Name;
        }

        return tags;
    }

    private async Task AwaitAddressAsync(CancellationToken cancellationToken)
    {
        var deadline = Record.StateSince + _context.Options.BootTimeout;
        while (true)
        {
            var instances = await _context.Watcher.NextAsync(eager: true, cancellationToken).ConfigureAwait(false);
            var instance = instances.Find(Record.InstanceId);
            if (instance is { State: >= InstanceState.Terminating })
            {
                throw Ended(instance);
            }

            if (instance is { Address: not null })
            {
                await UpdateAsync(r => Located(r, instance), cancellationToken).ConfigureAwait(false);
                return;
            }

            if (Now > deadline)
            {
                throw new CellException("BootTimeout", $"instance {Record.InstanceId} had no address {_context.Options.BootTimeout.TotalMinutes:0.#} minutes after its launch");
            }
        }
    }

    private static CellRecord Located(CellRecord record, Instance instance) => record with
    {
        State = instance.Address is null ? CellState.Launching : CellState.Booting,
        InstanceId = instance.Id,
        Address = instance.Address,
        PodAddress = instance.PodAddress,
    };
}
