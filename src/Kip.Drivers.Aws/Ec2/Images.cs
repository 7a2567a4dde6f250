using System.Xml.Linq;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2.Model;

internal sealed class DescribeImagesRequest : AmazonEC2PagedRequest
{
    public override string Action => "DescribeImages";

    public List<string>? ImageIds { get; set; }

    public List<string>? Owners { get; set; }

    public List<string>? ExecutableUsers { get; set; }

    protected override void WriteMembers(QueryParameters parameters)
    {
        base.WriteMembers(parameters);
        parameters.Add("ImageId", ImageIds);
        parameters.Add("Owner", Owners);
        parameters.Add("ExecutableBy", ExecutableUsers);
    }
}

internal sealed class DescribeImagesResponse : AmazonWebServiceResponse, IQueryResponse<DescribeImagesResponse>
{
    public List<Image> Images { get; init; } = [];

    public string? NextToken { get; init; }

    public static DescribeImagesResponse Read(XElement root) => new()
    {
        Images = root.List("imagesSet", Image.Read),
        NextToken = root.Text("nextToken"),
    };
}

internal sealed class Image
{
    public string? ImageId { get; init; }

    public string? Name { get; init; }

    public string? State { get; init; }

    public string? Architecture { get; init; }

    public string? CreationDate { get; init; }

    public string? RootDeviceName { get; init; }

    public List<BlockDeviceMapping> BlockDeviceMappings { get; init; } = [];

    public static Image Read(XElement element) => new()
    {
        ImageId = element.Text("imageId"),
        Name = element.Text("name"),
        State = element.Text("imageState"),
        Architecture = element.Text("architecture"),
        CreationDate = element.Text("creationDate"),
        RootDeviceName = element.Text("rootDeviceName"),
        BlockDeviceMappings = element.List("blockDeviceMapping", BlockDeviceMapping.Read),
    };
}
