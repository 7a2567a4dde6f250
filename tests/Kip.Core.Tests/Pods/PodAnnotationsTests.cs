using Kip.Kubernetes.Objects;
using Kip.Pods;

namespace Kip.Core.Tests.Pods;

public sealed class PodAnnotationsTests
{
    [Fact]
    public void Read_None_AsksForNothing()
    {
        var annotations = PodAnnotations.Read(new ObjectMeta(), out var errors, out var warnings);

        Assert.Empty(errors);
        Assert.Empty(warnings);
        Assert.Equal(CellLaunchType.OnDemand, annotations.LaunchType);
        Assert.Null(annotations.InstanceType ?? annotations.InstanceProfile);
        Assert.Null(annotations.PrivateIPOnly);
        Assert.Null(annotations.VolumeSizeGib);
        Assert.Null(annotations.HealthyTimeout);
        Assert.Empty(annotations.SecurityGroups);
        Assert.Empty(annotations.CloudRoutes);
        Assert.Empty(annotations.All);
    }

    [Fact]
    public void Read_All_AreUnderstood()
    {
        var annotations = Read(
            out var warnings,
            ("launch-type", "Spot"), ("instance-type", "c5.*"), ("private-ip-only", "T"), ("volume-size", "10.5Gi"), ("security-groups", "sg-1, sg-2,"),
            ("instance-profile", "arn:aws:iam::1:instance-profile/a"), ("healthcheck-healthy-timeout", "12.9"), ("cloud-route", "10.1.0.0/16\n 10.2.3.4/16"),
            ("image-overlay-rootfs", "yes"), ("task-role", "r"));

        Assert.Empty(warnings);
        Assert.Equal((CellLaunchType.Spot, "c5.*", true, 11), (annotations.LaunchType, annotations.InstanceType, annotations.PrivateIPOnly, annotations.VolumeSizeGib));
        Assert.Equal(["sg-1", "sg-2"], annotations.SecurityGroups);
        Assert.Equal("arn:aws:iam::1:instance-profile/a", annotations.InstanceProfile);
        Assert.Equal(TimeSpan.FromSeconds(12), annotations.HealthyTimeout);
        Assert.Equal(["10.1.0.0/16", "10.2.0.0/16"], annotations.CloudRoutes.Select(static r => r.ToString()));
        Assert.Equal(10, annotations.All.Count);
        Assert.Equal("yes", annotations.All["pod.elotl.co/image-overlay-rootfs"]);
    }

    [Theory]
    [InlineData("launch-type", "spott", "Unsupported value: \"spott\": supported values: \"spot\", \"dedicated\", \"on-demand\"")]
    [InlineData("launch-type", "spot,dedicated", "Unsupported value: \"spot,dedicated\"")]
    [InlineData("max-price", "cheap", "Invalid value: \"cheap\": must be dollars per hour, greater than 0, such as 0.25")]
    [InlineData("max-price", "0", "Invalid value: \"0\": must be dollars per hour")]
    [InlineData("max-price", "-1", "Invalid value: \"-1\": must be dollars per hour")]
    [InlineData("private-ip-only", "yes", "Invalid value: \"yes\": must be true or false")]
    [InlineData("volume-size", "big", "Invalid value: \"big\": ")]
    [InlineData("volume-size", "0", "Invalid value: \"0\": must be greater than 0")]
    [InlineData("volume-size", "9Ei", "Invalid value: \"9Ei\": must be greater than 0, and fewer than 2^31 GiB")]
    [InlineData("healthcheck-healthy-timeout", "1m", "Invalid value: \"1m\": must be a number of seconds; 0 or less for no limit")]
    [InlineData("healthcheck-healthy-timeout", "NaN", "Invalid value: \"NaN\": must be a number of seconds; 0 or less for no limit")]
    [InlineData("cloud-route", "10.0.0.0/8 10.0.0.1", "Invalid value: \"10.0.0.1\": must be ranges of addresses such as 10.9.0.0/16, with spaces between them")]
    public void Read_Wrong_NamesTheAnnotation(string name, string value, string message)
    {
        PodAnnotations.Read(Metadata((name, value)), out var errors, out _);

        var error = Assert.Single(errors);
        Assert.Equal($"metadata.annotations[pod.elotl.co/{name}]", error.Field);
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("spot, on-demand", CellLaunchType.Spot, CellLaunchType.OnDemand)]
    [InlineData("on-demand,Spot", CellLaunchType.OnDemand, CellLaunchType.Spot)]
    [InlineData("dedicated", CellLaunchType.Dedicated, null)]
    public void Read_LaunchTypes_AreInTheOrderGiven(string text, CellLaunchType first, CellLaunchType? fallback)
    {
        var annotations = Read(out _, ("launch-type", text));

        Assert.Equal((first, fallback), (annotations.LaunchType, annotations.FallbackLaunchType));
    }

    [Fact]
    public void Read_MaxPrice_IsExact() => Assert.Equal(0.0125m, Read(out _, ("max-price", "0.0125")).MaxPricePerHour);

    [Theory]
    [InlineData("0")]
    [InlineData("-3")]
    [InlineData("0.9")]
    [InlineData("1e300")]
    public void Read_TimeoutOfNoLimit_IsForEver(string seconds) => Assert.Equal(Timeout.InfiniteTimeSpan, Read(out _, ("healthcheck-healthy-timeout", seconds)).HealthyTimeout);

    [Theory]
    [InlineData("1", 1)]
    [InlineData("1Gi", 1)]
    [InlineData("1073741825", 2)]
    public void Read_VolumeSize_IsRoundedUp(string size, int gib) => Assert.Equal(gib, Read(out _, ("volume-size", size)).VolumeSizeGib);

    [Fact]
    public void Read_Mac_IsDedicatedAndNotSpot()
    {
        var annotations = Read(out var warnings, ("instance-type", "MAC1.metal"), ("launch-type", "spot"));

        Assert.Equal(CellLaunchType.Dedicated, annotations.LaunchType);
        Assert.Equal(["annotation pod.elotl.co/launch-type has no effect: MAC1.metal exists on dedicated hosts only"], warnings);
    }

    [Fact]
    public void Read_UnknownName_IsWarnedAboutAndKept()
    {
        var annotations = Read(out var warnings, ("instance-typ", "t3.nano"), ("zzz", "1"));

        Assert.Equal(["annotation pod.elotl.co/instance-typ means nothing to Kip (did you mean pod.elotl.co/instance-type?)", "annotation pod.elotl.co/zzz means nothing to Kip"], warnings);
        Assert.Equal(2, annotations.All.Count);
    }

    [Fact]
    public void Read_OthersAnnotations_AreNotOurs()
    {
        var metadata = Metadata();
        metadata.Annotations = new() { ["example.com/launch-type"] = "x", ["launch-type"] = "y" };

        Assert.Empty(PodAnnotations.Read(metadata, out var errors, out var warnings).All);
        Assert.Empty(errors);
        Assert.Empty(warnings);
    }

    [Fact]
    public void Read_TooMuchInAll_IsRefused()
    {
        PodAnnotations.Read(Metadata(("task-role", new string('a', 256 * 1024))), out var errors, out _);

        Assert.StartsWith("metadata.annotations: Invalid value: ", Assert.Single(errors).ToString(), StringComparison.Ordinal);
    }

    private static PodAnnotations Read(out IReadOnlyList<string> warnings, params (string Name, string Value)[] annotations)
    {
        var result = PodAnnotations.Read(Metadata(annotations), out var errors, out warnings);
        Assert.Empty(errors);
        return result;
    }

    private static ObjectMeta Metadata(params (string Name, string Value)[] annotations) =>
        new() { Annotations = annotations.ToDictionary(static a => $"pod.elotl.co/{a.Name}", static a => a.Value) };
}
