namespace Kip.Agent.Pods;

/// <summary>
/// The kubelet's back-off: nothing before the first repetition, then 10 s doubling to 300 s, and from the start again after 10 minutes without
/// trouble.
/// </summary>
internal static class Backoff
{
    public static readonly TimeSpan Initial = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan Maximum = TimeSpan.FromSeconds(300);
    public static readonly TimeSpan ResetAfter = TimeSpan.FromMinutes(10);

    public static TimeSpan Next(TimeSpan current) =>
        current <= TimeSpan.Zero ? Initial : current * 2 < Maximum ? current * 2 : Maximum;
}
