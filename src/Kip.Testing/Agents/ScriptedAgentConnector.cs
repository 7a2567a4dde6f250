using Kip.Agents;
using Kip.Cells;

namespace Kip.Testing;

/// <summary>One process's way to the agents of a <see cref="SimulatedCloud"/>. Holds no state of its own.</summary>
internal sealed class ScriptedAgentConnector(SimulatedCloud cloud) : ICellAgentConnector
{
    public string GetEnrolmentToken(CellRecord cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return ScriptedAgent.TokenOf(cell);
    }

    public async Task<ICellAgent> ConnectAsync(CellRecord cell, Action<AgentConnectStep>? onStep, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(cell);
        cancellationToken.ThrowIfCancellationRequested();
        var address = cell.Address ?? throw new ArgumentException($"The address of {cell.Id} is not known.", nameof(cell));
        if (cloud.FindByAddress(address) is not { IsAgentReady: true, Agent: var agent })
        {
            throw new AgentException(AgentErrorKind.Unavailable, $"Nothing answers at {address}.");
        }

        var connection = new ScriptedAgentConnection(cloud, agent);
        await connection.EnterAsync(cancellationToken);
        onStep?.Invoke(AgentConnectStep.Answered);
        agent.Authenticate(cell);
        onStep?.Invoke(AgentConnectStep.Enrolled);
        return connection;
    }
}
