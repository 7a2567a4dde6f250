using Kip.Kubernetes.Objects;

namespace Kip.Agent.Probes;

/// <summary>The numbers of a probe, with the defaults of the API for what is absent or 0.</summary>
/// <param name="InitialDelay">From the start of the container to the first check.</param>
/// <param name="Period">From the beginning of a check to that of the next.</param>
/// <param name="Timeout">How long a check may take.</param>
/// <param name="SuccessThreshold">How many successes in a row make a success.</param>
/// <param name="FailureThreshold">How many failures in a row make a failure.</param>
internal sealed record ProbeSettings(TimeSpan InitialDelay, TimeSpan Period, TimeSpan Timeout, int SuccessThreshold, int FailureThreshold)
{
    private const int DefaultPeriod = 10;
    private const int DefaultTimeout = 1;
    private const int DefaultSuccessThreshold = 1;
    private const int DefaultFailureThreshold = 3;

    public static ProbeSettings Of(Probe probe) => new(
        TimeSpan.FromSeconds(probe.InitialDelaySeconds ?? 0),
        TimeSpan.FromSeconds(OrDefault(probe.PeriodSeconds, DefaultPeriod)),
        TimeSpan.FromSeconds(OrDefault(probe.TimeoutSeconds, DefaultTimeout)),
        OrDefault(probe.SuccessThreshold, DefaultSuccessThreshold),
        OrDefault(probe.FailureThreshold, DefaultFailureThreshold));

    private static int OrDefault(int? value, int fallback) => value is > 0 ? value.Value : fallback;
}
