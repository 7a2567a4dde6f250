using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>Conditions on what EC2 is to describe.</summary>
internal static class Ec2Filter
{
    /// <summary>One of the values will do; <c>*</c> and <c>?</c> match what they match in a shell.</summary>
    public static Filter On(string name, params IEnumerable<string> values) => new(name, [.. values]);
}
