using System.Xml.Linq;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

/// <summary>What all requests to EC2 have.</summary>
internal abstract class AmazonEC2Request : QueryRequest
{
    /// <summary>Only say, by the error code <c>DryRunOperation</c>, that the call is allowed.</summary>
    public bool? DryRun { get; set; }

    public sealed override void Write(QueryParameters parameters)
    {
        parameters.Add("DryRun", DryRun);
        WriteMembers(parameters);
    }

    protected abstract void WriteMembers(QueryParameters parameters);
}

/// <summary>A request that is answered page by page.</summary>
internal abstract class AmazonEC2PagedRequest : AmazonEC2Request
{
    public string? NextToken { get; set; }

    public int? MaxResults { get; set; }

    public List<Filter>? Filters { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        parameters.Add("NextToken", NextToken);
        parameters.Add("MaxResults", MaxResults);
        parameters.Add("Filter", Filters);
    }
}

/// <summary>One condition on what to describe. Within one any value will do; <c>*</c> and <c>?</c> match what they match in a shell.</summary>
internal sealed class Filter(string name, params IEnumerable<string> values) : IQueryStructure
{
    public string Name { get; } = name;

    public List<string> Values { get; } = [.. values];

    public void Write(QueryParameters parameters)
    {
        parameters.Add("Name", Name);
        parameters.Add("Value", Values);
    }
}

internal sealed class Tag(string key, string value) : IQueryStructure
{
    public string Key { get; } = key;

    public string Value { get; } = value;

    public static Tag Read(XElement element) => new(element.Text("key") ?? "", element.Text("value") ?? "");

    public void Write(QueryParameters parameters)
    {
        parameters.Add("Key", Key);
        parameters.Add("Value", Value);
    }
}

/// <summary>Tags of one kind of thing that a call makes.</summary>
internal sealed class TagSpecification : IQueryStructure
{
    public required string ResourceType { get; init; }

    public List<Tag> Tags { get; init; } = [];

    public void Write(QueryParameters parameters)
    {
        parameters.Add("ResourceType", ResourceType);
        parameters.Add("Tag", Tags);
    }
}
