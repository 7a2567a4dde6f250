using System.Net;

namespace Kip.Drivers.Aws.Tests;

/// <summary>All that the driver ever asks of AWS.</summary>
internal static class EveryCall
{
    /// <summary>A driver with every option, whose network has to be made and mended, and every call of the interface, in several pages.</summary>
    public static async Task MakeAsync(FakeAws aws, CancellationToken token)
    {
        aws.Answer("DescribeSecurityGroups", call => FakeAws.Xml(HttpStatusCode.OK, call.Filter("group-id") is null
            ? """
              <r><securityGroupInfo><item><groupId>sg-1</groupId><tagSet><item><key>KipControllerID</key><value>ctl</value></item></tagSet><ipPermissions>
              <item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><ipv6Ranges><item><cidrIpv6>::/0</cidrIpv6></item></ipv6Ranges>
              <groups><item><groupId>sg-2</groupId><userId>1</userId></item></groups><prefixListIds><item><prefixListId>pl-1</prefixListId></item></prefixListIds></item></ipPermissions></item></securityGroupInfo></r>
              """
            : "<r><securityGroupInfo><item><groupId>sg-extra</groupId></item></securityGroupInfo></r>"));
        foreach (var (action, members) in new[] { ("DescribeInstanceTypes", "instanceTypeSet"), ("DescribeInstanceTypeOfferings", "instanceTypeOfferingSet"), ("DescribeSpotPriceHistory", "spotPriceHistorySet"), ("DescribeInstances", "reservationSet") })
        {
            aws.Answer(action, call => FakeAws.Xml(HttpStatusCode.OK, $"<r><{members}/>{(call["NextToken"] is null ? "<nextToken>2</nextToken>" : "")}</r>"));
        }

        aws.Answer("GetProducts", call => FakeAws.Json(HttpStatusCode.OK, call["Body"]!.Contains("NextToken", StringComparison.Ordinal) ? """{"PriceList":[]}""" : """{"PriceList":[],"NextToken":"2"}"""));
        var attached = false;
        aws.Answer("DescribeVolumes", _ => FakeAws.Xml(HttpStatusCode.OK, $"<r><volumeSet><item><volumeId>vol-00000001</volumeId><status>available</status>{(attached ? "<attachmentSet><item><instanceId>i-1</instanceId><status>attached</status></item></attachmentSet>" : "")}</item></volumeSet></r>"));
        aws.Answer("AttachVolume", _ => Changed(true));
        aws.Answer("DetachVolume", _ => Changed(false));

        using var driver = aws.MakeDriver(FakeAws.MakeOptions() with
        {
            SubnetIds = ["subnet-a", "subnet-b"],
            ExtraSecurityGroupIds = ["sg-extra"],
            ExtraCidrs = ["10.0.0.0/8"],
            InstanceProfile = "cells",
            CapacityReservation = "cr-0123456789abcdef0",
            KmsKeyId = "alias/kip",
            Tags = new Dictionary<string, string> { ["Team"] = "blue" },
        });
        await driver.GetCatalogAsync(token);
        await driver.ResolveImageAsync("owners=self; filters=name=a,b state=available; executableUsers=all", token);
        await driver.LaunchAsync(FakeAws.MakeRequest() with { CapacityType = CapacityType.Spot }, token);
        await driver.LaunchAsync(
            FakeAws.MakeRequest() with { Options = new LaunchOptions { DedicatedHost = true, SecurityGroups = ["sg-extra"], InstanceProfile = "of-the-pod", PrivateAddressOnly = true } }, token);
        await driver.ListAsync(token);
        aws.Answer("DescribeInstances", _ => FakeAws.Instances("", FakeAws.Instance("i-1", "running")));
        await driver.GetRegistryLoginAsync("123456789012.dkr.ecr.eu-west-1.amazonaws.com", token);
        await driver.GetRegistryLoginAsync("public.ecr.aws", token);
        await driver.AttachAsync("i-1", new AttachableVolume("vol-00000001"), readOnly: false, token);
        await driver.DetachAsync("i-1", new AttachableVolume("vol-00000001"), token);
        await driver.RouteAsync("i-1", ["10.9.0.0/16"], token);
        aws.Answer("DescribeRouteTables", "<routeTableSet><item><routeTableId>rtb-main</routeTableId><associationSet><item><main>true</main></item></associationSet><routeSet><item><destinationCidrBlock>10.9.0.0/16</destinationCidrBlock><instanceId>i-1</instanceId><state>blackhole</state></item></routeSet></item></routeTableSet>");
        await driver.UnrouteAsync("i-1", ["10.9.0.0/16"], token);
        aws.Answer("DescribeInstances", call => FakeAws.Instances("", FakeAws.Instance(call.Filter("instance-id") ?? "i-1", "running")));
        await driver.RouteAsync("i-2", ["10.9.0.0/16"], token);
        await driver.TerminateAsync(["i-1", "i-2"], token);
        await driver.ResolveImageAsync("/aws/service/debian/release/12/latest/amd64", token);
        await driver.CheckAsync(token);
        aws.Answer("DescribeSecurityGroups", "<securityGroupInfo/>");
        using var other = aws.MakeDriver();
        await other.LaunchAsync(FakeAws.MakeRequest(), token);

        HttpResponseMessage Changed(bool to)
        {
            attached = to;
            return FakeAws.Xml(HttpStatusCode.OK, "<r/>");
        }
    }
}
