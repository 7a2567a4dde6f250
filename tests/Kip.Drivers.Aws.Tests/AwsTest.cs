namespace Kip.Drivers.Aws.Tests;

/// <summary>What tests without moto begin with: an AWS of their own, and a minute.</summary>
public abstract class AwsTest : IDisposable
{
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(1));

    protected FakeAws Aws { get; } = new();

    protected CancellationToken Limit => _limit.Token;

    public virtual void Dispose()
    {
        Aws.Dispose();
        _limit.Dispose();
        GC.SuppressFinalize(this);
    }
}
