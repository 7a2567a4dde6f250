using Kip.Kubernetes;

namespace Kip.Host.Configuration;

/// <summary>An option whose value is a Kubernetes quantity.</summary>
internal static class QuantityOption
{
    public static Quantity Read(string option, string? text)
    {
        if (text is null)
        {
            return Quantity.Zero;
        }

        if (!Quantity.TryParse(text, out var amount, out var problem) || amount.Sign < 0)
        {
            throw new HostException(ExitCodes.Usage, $"{option} {text}: {(problem.Length > 0 ? problem : "must be greater than or equal to 0")}");
        }

        return amount;
    }
}
