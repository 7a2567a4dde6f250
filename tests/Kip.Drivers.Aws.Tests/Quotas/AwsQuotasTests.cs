using System.Net;

namespace Kip.Drivers.Aws.Tests.Quotas;

public sealed class AwsQuotasTests : AwsTest
{
    [Fact]
    public async Task Check_SomeInUse_CountsTheAccountsInstancesOfOrdinaryFamilies()
    {
        Answer(onDemand: 64, spot: 32);
        Aws.Answer("DescribeInstances", _ => FakeAws.Instances("", Instance("m5.xlarge", 2, 2), Instance("t4g.nano", 2, 1), Instance("p4d.24xlarge", 48, 2), Instance("inf2.xlarge", 2, 2), Instance("c7g.large", 2, 1, "spot")));

        var checks = await CheckAsync();

        Assert.Equal(
            [
                ("vCPUs on demand", true, "6 of 64 in use, by instances of the families A, C, D, H, I, M, R, T, Z"),
                ("vCPUs at the spot market", true, "2 of 32 in use, by instances of the families A, C, D, H, I, M, R, T, Z"),
            ],
            checks);
        Assert.Equal("""{"ServiceCode":"ec2","QuotaCode":"L-34B43A08"}""", Aws.Last("GetServiceQuota")["Body"]);
    }

    [Fact]
    public async Task Check_NoneLeft_SaysHowToRaiseIt_AndOfSpotDoesNotFail()
    {
        Answer(onDemand: 1, spot: 0);

        var checks = await CheckAsync();

        Assert.Equal(
            [
                ("vCPUs on demand", false, "0 of 1 in use, by instances of the families A, C, D, H, I, M, R, T, Z; a cell takes 2 or more, so the next is refused: "
                    + "aws service-quotas request-service-quota-increase --region us-east-1 --service-code ec2 --quota-code L-1216C47A --desired-value 64"),
                ("vCPUs at the spot market", true, "0 of 0 in use, by instances of the families A, C, D, H, I, M, R, T, Z; a cell takes 2 or more, so the next is refused: "
                    + "aws service-quotas request-service-quota-increase --region us-east-1 --service-code ec2 --quota-code L-34B43A08 --desired-value 64"),
            ],
            checks);
    }

    [Fact]
    public async Task Check_NotAllowed_IsNoReasonNotToLaunch()
    {
        Aws.Answer("GetServiceQuota", _ => FakeAws.Json(HttpStatusCode.BadRequest, """{"__type":"AccessDeniedException","Message":"User: u is not authorized to perform: servicequotas:GetServiceQuota"}"""));

        Assert.All(await CheckAsync(), check =>
        {
            Assert.True(check.Ok);
            Assert.Equal($"not known: cannot read the quota of {check.Name}: the credentials do not allow servicequotas:GetServiceQuota: add it to the controller's policy (AccessDeniedException)", check.Detail);
        });
    }

    [Theory]
    [InlineData("t3.nano", true)]
    [InlineData("im4gn.large", true)]
    [InlineData("z1d.large", true)]
    [InlineData("mac2.metal", false)]
    [InlineData("hpc7g.16xlarge", false)]
    [InlineData("g5.xlarge", false)]
    [InlineData("u-6tb1.metal", false)]
    [InlineData("", false)]
    public void IsStandard_Type_GoesByItsFamily(string type, bool expected) => Assert.Equal(expected, AwsQuotas.IsStandard(type));

    private static string Instance(string type, int cores, int threads, string? lifecycle = null) => $"""
        <item><instanceId>i-9</instanceId><instanceType>{type}</instanceType>{(lifecycle is null ? "" : $"<instanceLifecycle>{lifecycle}</instanceLifecycle>")}
        <cpuOptions><coreCount>{cores}</coreCount><threadsPerCore>{threads}</threadsPerCore></cpuOptions></item>
        """;

    private void Answer(int onDemand, int spot) => Aws.Answer("GetServiceQuota", call =>
        FakeAws.Json(HttpStatusCode.OK, $$$"""{"Quota":{"ServiceCode":"ec2","Value":{{{(call["Body"]!.Contains("L-1216C47A", StringComparison.Ordinal) ? onDemand : spot)}}}.0}}"""));

    private async Task<List<(string Name, bool Ok, string Detail)>> CheckAsync()
    {
        using var driver = Aws.MakeDriver();
        return [.. (await driver.CheckAsync(Limit)).Where(check => check.Name.StartsWith("vCPUs", StringComparison.Ordinal)).Select(check => (check.Name, check.Ok, check.Detail))];
    }
}
