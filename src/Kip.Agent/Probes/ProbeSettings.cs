using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>
/// The numbers of a probe, with the defaults of the API for what is absent or 0. Any time is a day at most: timers do not wait for years.
/// </summary>
/// <param name="InitialDelay">From the start of the container to the first check.</param>
/// <param name="Period">From the beginning of a check to that of the next.</param>
/// <param name="Timeout">How long a check may take.</param>
/// <param name="SuccessThreshold">How many successes in a row make a success.</param>
/// <param name="FailureThreshold">How many failures in a row make a failure.</param>
internal sealed record ProbeSettings(TimeSpan InitialDelay, TimeSpan Period, TimeSpan Timeout, int SuccessThreshold, int FailureThreshold)
{
    private const int Day = 24 * 60 * 60;
    private const int DefaultPeriod = 10;
    private const int DefaultTimeout = 1;
    private const int DefaultSuccessThreshold = 1;
    private const int DefaultFailureThreshold = 3;

    public static ProbeSettings Of(Probe probe) => new(
        Seconds(probe.InitialDelaySeconds ?? 0),
        Seconds(OrDefault(probe.PeriodSeconds, DefaultPeriod)),
        Seconds(OrDefault(probe.TimeoutSeconds, DefaultTimeout)),
        OrDefault(probe.SuccessThreshold, DefaultSuccessThreshold),
        OrDefault(probe.FailureThreshold, DefaultFailureThreshold));

    private static TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, Day));

    private static int OrDefault(int? value, int fallback) => value is > 0 ? value.Value : fallback;
}
