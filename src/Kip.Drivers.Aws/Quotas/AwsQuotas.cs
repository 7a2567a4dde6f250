using System.Globalization;
using Amazon.EC2.Model;
using Amazon.ServiceQuotas;
using Amazon.ServiceQuotas.Model;
using Kip.Drivers.Aws.Sdk;
using Ec2Instance = Amazon.EC2.Model.Instance;

namespace Kip.Drivers.Aws;

/// <summary>
/// How many vCPUs the account may have at once in the region, and has. Of the quotas that EC2 has for each group of families only the two of
/// the ordinary ones are looked at, in which nearly all cells are ("Amazon EC2 instance type quotas", AWS's documentation).
/// </summary>
internal sealed class AwsQuotas(AwsCalls calls, AwsDriverOptions options)
{
    private const int InstancesOnOnePage = 1000;
    private const string OnDemand = "L-1216C47A";
    private const string Spot = "L-34B43A08";

    // Of t3.nano and its like: a quota with less left lets no cell in that anybody would want.
    private const int OfTheSmallest = 2;

    private static readonly HashSet<string> StandardFamilies = new(["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"], StringComparer.Ordinal);

    /// <summary>Looks at both. A quota that cannot be read, and one of the spot market, is no reason not to launch on demand.</summary>
    /// <exception cref="DriverException">It cannot be read what the account has.</exception>
    public async Task<IReadOnlyList<AwsCheck>> CheckAsync(CancellationToken cancellationToken)
    {
        var running = await AwsCalls.PageAsync(
            "ec2:DescribeInstances",
            "count the vCPUs of the account's instances",
            calls.Ec2.Paginators.DescribeInstances(new DescribeInstancesRequest { MaxResults = InstancesOnOnePage, Filters = [Ec2Filter.On("instance-state-name", "pending", "running")] }).Responses,
            static response => response.Reservations?.SelectMany(static reservation => reservation.Instances ?? []),
            cancellationToken).ConfigureAwait(false);
        var counted = running.Where(static instance => instance.Placement?.Tenancy != "host" && IsStandard(instance.InstanceType ?? "")).ToLookup(static instance => instance.InstanceLifecycle == "spot", Processors);
        using var client = calls.Make(ServiceQuotasActions.Service);
        return
        [
            await CheckAsync(client, "vCPUs on demand", OnDemand, counted[false].Sum(), isNeeded: true, cancellationToken).ConfigureAwait(false),
            await CheckAsync(client, "vCPUs at the spot market", Spot, counted[true].Sum(), isNeeded: false, cancellationToken).ConfigureAwait(false),
        ];
    }

    /// <summary>Whether the type is of the families A, C, D, H, I, M, R, T and Z, which have one quota together.</summary>
    internal static bool IsStandard(string instanceType) => StandardFamilies.Contains(string.Concat(instanceType.TakeWhile(char.IsAsciiLetterLower)));

    private async Task<AwsCheck> CheckAsync(JsonServiceClient client, string name, string code, int used, bool isNeeded, CancellationToken cancellationToken)
    {
        try
        {
            var request = new GetServiceQuotaRequest { ServiceCode = "ec2", QuotaCode = code };
            var response = await AwsCalls.CallAsync(client, ServiceQuotasActions.GetServiceQuota, request, $"read the quota of {name}", cancellationToken).ConfigureAwait(false);
            if (response.Quota?.Value is not { } quota)
            {
                return new AwsCheck(name, true, "not known: Service Quotas does not say it");
            }

            var isEnough = quota - used >= OfTheSmallest;
            var found = string.Create(CultureInfo.InvariantCulture, $"{used} of {quota:0} in use, by instances of the families A, C, D, H, I, M, R, T, Z");
            var remedy = $"aws service-quotas request-service-quota-increase --region {options.Region} --service-code ec2 --quota-code {code} --desired-value 64";
            return new AwsCheck(name, isEnough || !isNeeded, isEnough ? found : $"{found}; a cell takes {OfTheSmallest} or more, so the next is refused: {remedy}");
        }
        catch (DriverException error)
        {
            return new AwsCheck(name, true, $"not known: {error.Message}");
        }
    }

    private static int Processors(Ec2Instance instance) => (instance.CpuOptions?.CoreCount ?? 0) * (instance.CpuOptions?.ThreadsPerCore ?? 1);
}
