using System.Xml.Linq;
using Amazon.EC2.Model;
using Kip.Drivers.Aws.Sdk;

namespace Kip.Drivers.Aws.Tests.Ec2;

/// <summary>What the client writes and reads, against AWS's own description of EC2's interface.</summary>
public sealed class ServiceModelTests : AwsTest
{
    public static TheoryData<string> Answers => [.. Readers.Keys];

    private static Dictionary<string, Func<XElement, object>> Readers { get; } = new()
    {
        ["RunInstances"] = RunInstancesResponse.Read,
        ["DescribeInstances"] = DescribeInstancesResponse.Read,
        ["TerminateInstances"] = TerminateInstancesResponse.Read,
        ["DescribeImages"] = DescribeImagesResponse.Read,
        ["DescribeInstanceTypes"] = DescribeInstanceTypesResponse.Read,
        ["DescribeInstanceTypeOfferings"] = DescribeInstanceTypeOfferingsResponse.Read,
        ["DescribeSpotPriceHistory"] = DescribeSpotPriceHistoryResponse.Read,
        ["DescribeVpcs"] = DescribeVpcsResponse.Read,
        ["DescribeSubnets"] = DescribeSubnetsResponse.Read,
        ["DescribeRouteTables"] = DescribeRouteTablesResponse.Read,
        ["DescribeSecurityGroups"] = DescribeSecurityGroupsResponse.Read,
        ["CreateSecurityGroup"] = CreateSecurityGroupResponse.Read,
        ["DescribeVolumes"] = DescribeVolumesResponse.Read,
    };

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

    [ServiceModelTheory, MemberData(nameof(Answers))]
    public void Read_AnswerWithEveryMember_FillsEveryProperty(string action)
    {
        var answer = Readers[action](Parse(ServiceModel.Read().MakeAnswer(action)));

        Assert.Empty(Unfilled(answer, action));
    }

    [Theory, MemberData(nameof(Answers))]
    public void Read_EmptyAnswer_HasNothingInIt(string action)
    {
        var answer = Readers[action](Parse($"<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-1</requestId></{action}Response>"));

        Assert.All(
            answer.GetType().GetProperties().Where(property => property.DeclaringType == answer.GetType()),
            property => Assert.True(property.GetValue(answer) is null or System.Collections.ICollection { Count: 0 } or Reservation { Instances.Count: 0 }, property.Name));
    }

    private IEnumerable<Ec2Call> Ec2Calls() => Aws.Calls.Where(call => call.Scope.Service == "ec2");

    private static XElement Parse(string xml)
    {
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(xml));
        return XmlMembers.Parse(stream);
    }

    private static IEnumerable<string> Unfilled(object value, string at)
    {
        foreach (var property in value.GetType().GetProperties().Where(property => property.DeclaringType == value.GetType()))
        {
            var path = $"{at}.{property.Name}";
            switch (property.GetValue(value))
            {
                case null:
                    yield return path;
                    break;
                case System.Collections.IList list:
                    if (list.Count != 2)
                    {
                        yield return $"{path} has {list.Count} items";
                    }

                    foreach (var unfilled in list.Cast<object>().Where(item => item is not string).SelectMany(item => Unfilled(item, path)))
                    {
                        yield return unfilled;
                    }

                    break;
                case { } member when member.GetType().Namespace == typeof(Reservation).Namespace:
                    foreach (var unfilled in Unfilled(member, path))
                    {
                        yield return unfilled;
                    }

                    break;
            }
        }
    }
}
