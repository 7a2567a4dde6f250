using Amazon.EC2.Model;
using Amazon.Runtime;
using Kip.Drivers.Aws.Sdk;

namespace Amazon.EC2;

/// <summary>
/// The actions of EC2 that Kip calls. The names in this folder are those of the package AWSSDK.EC2, so that this folder can be
/// deleted for that package.
/// </summary>
internal sealed class AmazonEC2Client : QueryServiceClient
{
    public const string Service = "ec2";
    public const string Version = "2016-11-15";

    /// <summary>A client with the credentials that AWS's own sources give.</summary>
    public AmazonEC2Client(AwsServiceConfig config)
        : base(config)
    {
    }

    public AmazonEC2Client(AWSCredentials credentials, AwsServiceConfig config)
        : base(credentials, config)
    {
    }

    public Task<RunInstancesResponse> RunInstancesAsync(RunInstancesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<RunInstancesResponse>(request, cancellationToken);

    public Task<DescribeInstancesResponse> DescribeInstancesAsync(DescribeInstancesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeInstancesResponse>(request, cancellationToken);

    public Task<TerminateInstancesResponse> TerminateInstancesAsync(TerminateInstancesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<TerminateInstancesResponse>(request, cancellationToken);

    public Task<DescribeImagesResponse> DescribeImagesAsync(DescribeImagesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeImagesResponse>(request, cancellationToken);

    public Task<DescribeInstanceTypesResponse> DescribeInstanceTypesAsync(DescribeInstanceTypesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeInstanceTypesResponse>(request, cancellationToken);

    public Task<DescribeInstanceTypeOfferingsResponse> DescribeInstanceTypeOfferingsAsync(
        DescribeInstanceTypeOfferingsRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeInstanceTypeOfferingsResponse>(request, cancellationToken);

    public Task<DescribeSpotPriceHistoryResponse> DescribeSpotPriceHistoryAsync(
        DescribeSpotPriceHistoryRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeSpotPriceHistoryResponse>(request, cancellationToken);

    public Task<DescribeVpcsResponse> DescribeVpcsAsync(DescribeVpcsRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeVpcsResponse>(request, cancellationToken);

    public Task<DescribeSubnetsResponse> DescribeSubnetsAsync(DescribeSubnetsRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeSubnetsResponse>(request, cancellationToken);

    public Task<DescribeRouteTablesResponse> DescribeRouteTablesAsync(DescribeRouteTablesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeRouteTablesResponse>(request, cancellationToken);

    public Task<DescribeSecurityGroupsResponse> DescribeSecurityGroupsAsync(
        DescribeSecurityGroupsRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeSecurityGroupsResponse>(request, cancellationToken);

    public Task<CreateSecurityGroupResponse> CreateSecurityGroupAsync(CreateSecurityGroupRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<CreateSecurityGroupResponse>(request, cancellationToken);

    public Task<AuthorizeSecurityGroupIngressResponse> AuthorizeSecurityGroupIngressAsync(
        AuthorizeSecurityGroupIngressRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<AuthorizeSecurityGroupIngressResponse>(request, cancellationToken);

    public Task<RevokeSecurityGroupIngressResponse> RevokeSecurityGroupIngressAsync(
        RevokeSecurityGroupIngressRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<RevokeSecurityGroupIngressResponse>(request, cancellationToken);

    public Task<DescribeVolumesResponse> DescribeVolumesAsync(DescribeVolumesRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DescribeVolumesResponse>(request, cancellationToken);

    public Task<AttachVolumeResponse> AttachVolumeAsync(AttachVolumeRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<AttachVolumeResponse>(request, cancellationToken);

    public Task<DetachVolumeResponse> DetachVolumeAsync(DetachVolumeRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<DetachVolumeResponse>(request, cancellationToken);

    public Task<EmptyResponse> CreateRouteAsync(CreateRouteRequest request, CancellationToken cancellationToken) => InvokeAsync<EmptyResponse>(request, cancellationToken);

    public Task<EmptyResponse> ReplaceRouteAsync(ReplaceRouteRequest request, CancellationToken cancellationToken) => InvokeAsync<EmptyResponse>(request, cancellationToken);

    public Task<EmptyResponse> DeleteRouteAsync(DeleteRouteRequest request, CancellationToken cancellationToken) => InvokeAsync<EmptyResponse>(request, cancellationToken);

    public Task<EmptyResponse> ModifyInstanceAttributeAsync(ModifyInstanceAttributeRequest request, CancellationToken cancellationToken) =>
        InvokeAsync<EmptyResponse>(request, cancellationToken);
}
