namespace Kip.Drivers.Aws.Tests;

/// <summary>What the driver asks, against AWS's own descriptions of the interfaces.</summary>
public sealed class ServiceModelTests : AwsTest
{
    [ServiceModelFact]
    public async Task AllThatTheDriverAsks_IsAsEc2WantsIt()
    {
        await EveryCall.MakeAsync(Aws, Limit);

        var model = ServiceModel.Read();
        Assert.Equal(
            [
                "AttachVolume", "AuthorizeSecurityGroupIngress", "CreateRoute", "CreateSecurityGroup", "DeleteRoute", "DescribeImages", "DescribeInstanceTypeOfferings",
                "DescribeInstanceTypes", "DescribeInstances", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeSpotPriceHistory", "DescribeSubnets",
                "DescribeVolumes", "DescribeVpcs", "DetachVolume", "ModifyInstanceAttribute", "ReplaceRoute", "RevokeSecurityGroupIngress", "RunInstances",
                "TerminateInstances",
            ],
            Ec2Calls().Select(call => call.Action).Distinct().Order(StringComparer.Ordinal));
        Assert.All(Ec2Calls(), call =>
        {
            Assert.Equal("2016-11-15", call["Version"]);
            Assert.Empty(model.Check(call));
        });
    }

    [ServiceModelTheory]
    [InlineData("ecr-2015-09-21", 1)]
    [InlineData("pricing-2017-10-15", 2)]
    [InlineData("ssm-2014-11-06", 1)]
    public async Task AllThatTheDriverAsks_InJson_IsAsTheServiceWantsIt(string service, int atLeast)
    {
        await EveryCall.MakeAsync(Aws, Limit);

        var model = ServiceModel.Read(service);
        var name = model.Names.Service.Length > 0 ? model.Names.Service : service.Split('-')[0];
        var calls = Aws.Calls.Where(call => call.Scope.Service == name).ToList();
        Assert.True(calls.Count >= atLeast, $"{calls.Count} calls of {service}");
        Assert.All(calls, call =>
        {
            Assert.Equal($"{model.Names.TargetPrefix}.{call.Action}", call.Target);
            Assert.Equal($"{model.Names.EndpointPrefix}.{call.Scope.Region}.amazonaws.com", call.Address!.Host);
            Assert.Empty(model.CheckJson(call));
        });
    }

    [ServiceModelFact]
    public void Check_WrongRequest_IsFound()
    {
        var problems = ServiceModel.Read().Check(new Ec2Call("RunInstances", new Dictionary<string, string>
        {
            ["Action"] = "RunInstances",
            ["MinCount"] = "one",
            ["UserDate"] = "x",
            ["NetworkInterface.2.DeviceIndex"] = "0",
            ["InstanceMarketOptions.MarketType"] = "flea",
        }));

        Assert.Equal(
            [
                "RunInstances has no member UserDate",
                "RunInstances lacks MaxCount",
                "RunInstances.InstanceMarketOptions.MarketType is no string MarketType: flea",
                "RunInstances.MinCount is no integer Integer: one",
                "RunInstances.NetworkInterface has no item 1 of 1",
            ],
            problems.Order(StringComparer.Ordinal));
    }

    private IEnumerable<Ec2Call> Ec2Calls() => Aws.Calls.Where(call => call.Scope.Service == "ec2");
}
