using Kip.Drivers;

namespace Kip.Cells;

/// <content>How the cloud is asked: no call without a limit, and each failure is one of the driver's kinds.</content>
internal sealed partial class CellReconciler
{
    /// <summary>Takes a step in which the cloud is asked for something, again and again until it does it.</summary>
    /// <param name="step">Safe to repeat. What it throws besides failures of the cloud ends the tries.</param>
    /// <param name="onFailure">Told each failure, and how long it is until the next try.</param>
    /// <param name="cancellationToken">Ends the tries.</param>
    private async Task PersistAsync(Func<CancellationToken, Task> step, Action<DriverException, TimeSpan> onFailure, CancellationToken cancellationToken)
    {
        for (var pause = FirstRetry; ; pause = Min(pause * 2, SlowestRetry))
        {
            try
            {
                await step(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (DriverException e)
            {
                onFailure(e, pause);
                await Task.Delay(Jitter(pause), _context.Time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Asks the cloud once to change something.</summary>
    private async Task ChangeAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken)
    {
        await _context.Options.BeforeEffect(cancellationToken).ConfigureAwait(false);
        await BoundedAsync(
            async ct =>
            {
                await call(ct).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> BoundedAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_context.Options.CloudCallTimeout, _context.Time);
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await call(bounded.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new DriverException(DriverErrorKind.Transient, $"the cloud did not answer within {_context.Options.CloudCallTimeout.TotalSeconds:0} s", e);
        }
        catch (Exception e) when (e is not DriverException and not OperationCanceledException)
        {
            throw new DriverException(DriverErrorKind.Transient, $"the driver failed: {e.Message}", e);
        }
    }

    private TimeSpan Jitter(TimeSpan pause) => pause * (0.75 + (_context.Random.NextDouble() / 2));
}
