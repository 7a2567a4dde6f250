using Kip.Drivers;
using static Kip.Testing.CheckContext;

namespace Kip.Testing;

/// <summary>The states that instances were seen in; throws when one moves backwards or comes back.</summary>
internal sealed class StateHistory
{
    private readonly Dictionary<string, (InstanceState State, bool IsGone, string? Address)> _last = [];

    public void Add(Instance instance) => Add(instance.Id, instance);

    /// <summary>Adds a look at an instance; null when it was not listed.</summary>
    public void Add(string id, Instance? now)
    {
        var (state, isGone, address) = _last.GetValueOrDefault(id);
        if (now is null)
        {
            // A fresh instance may not be listed yet; one that was seen ending and is not listed has ended.
            _last[id] = (state, state >= InstanceState.Terminating, address);
            return;
        }

        Check(now.State >= state, Rules.Forward, $"{id} stays {state} or moves on", $"it is {now.State}");
        Check(!isGone || now.State == InstanceState.Terminated, Rules.ListEnded, $"{id} stays away once it has ended", () => Describe(now));
        Check(address is null || now.Address is null || now.Address == address, Rules.Address, $"{id} keeps its address {address}", $"{now.Address}");
        _last[id] = (now.State, isGone, now.Address ?? address);
    }
}
