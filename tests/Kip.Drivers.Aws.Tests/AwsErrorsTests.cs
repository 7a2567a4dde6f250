using System.Net;
using System.Xml;
using Amazon.Runtime;

namespace Kip.Drivers.Aws.Tests;

public sealed class AwsErrorsTests
{
    [Theory]
    [InlineData("InsufficientInstanceCapacity", 500, DriverErrorKind.OutOfCapacity)]
    [InlineData("InsufficientFreeAddressesInSubnet", 400, DriverErrorKind.OutOfCapacity)]
    [InlineData("InsufficientHostCapacity", 500, DriverErrorKind.OutOfCapacity)]
    [InlineData("SpotMaxPriceTooLow", 400, DriverErrorKind.OutOfCapacity)]
    [InlineData("VcpuLimitExceeded", 400, DriverErrorKind.Quota)]
    [InlineData("InstanceLimitExceeded", 400, DriverErrorKind.Quota)]
    [InlineData("MaxSpotInstanceCountExceeded", 400, DriverErrorKind.Quota)]
    [InlineData("VolumeLimitExceeded", 400, DriverErrorKind.Quota)]
    [InlineData("RequestLimitExceeded", 503, DriverErrorKind.Throttled)]
    [InlineData("ThrottlingException", 400, DriverErrorKind.Throttled)]
    [InlineData("NeverHeardOf", 429, DriverErrorKind.Throttled)]
    [InlineData("Unsupported", 400, DriverErrorKind.Unsupported)]
    [InlineData("InvalidAMIID.NotFound", 400, DriverErrorKind.NotFound)]
    [InlineData("InvalidAMIID.Malformed", 400, DriverErrorKind.NotFound)]
    [InlineData("InvalidSnapshot.NotFound", 400, DriverErrorKind.NotFound)]
    [InlineData("ParameterNotFound", 400, DriverErrorKind.NotFound)]
    [InlineData("InvalidParameterValue", 400, DriverErrorKind.InvalidConfiguration)]
    [InlineData("SecurityGroupsPerInstanceLimitExceeded", 400, DriverErrorKind.InvalidConfiguration)]
    [InlineData("UnauthorizedOperation", 403, DriverErrorKind.Unauthorized)]
    [InlineData("AccessDeniedException", 400, DriverErrorKind.Unauthorized)]
    [InlineData("AuthFailure", 401, DriverErrorKind.Unauthorized)]
    [InlineData("ExpiredToken", 403, DriverErrorKind.Unauthorized)]
    [InlineData("RequestExpired", 400, DriverErrorKind.Unauthorized)]
    [InlineData("NeverHeardOf", 403, DriverErrorKind.Unauthorized)]
    [InlineData("InternalError", 500, DriverErrorKind.Transient)]
    [InlineData("NeverHeardOf", 502, DriverErrorKind.Transient)]
    public void Translate_Code_IsTheKindKipActsOn(string code, int status, DriverErrorKind kind)
    {
        var error = Translate(code, "what AWS says", status);

        Assert.Equal(kind, error.Kind);
        Assert.StartsWith("cannot launch a cell: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(code, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Translate_UnknownCode_SaysWhatAwsSays() =>
        Assert.Equal(
            "cannot launch a cell: Value (x) for parameter cores is invalid. (InvalidParameterValue)",
            Translate("InvalidParameterValue", "Value (x) for parameter cores is invalid.", 400).Message);

    [Fact]
    public void Translate_DenialThatNamesTheAction_NamesIt()
    {
        const string Message = "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/kip is not authorized to perform: iam:PassRole "
            + "on resource: arn:aws:iam::123456789012:role/cells because no identity-based policy allows the iam:PassRole action. "
            + "Encoded authorization failure message: AbCdEf";

        Assert.Equal(
            "cannot launch a cell: the credentials do not allow iam:PassRole on arn:aws:iam::123456789012:role/cells: add it to the controller's policy (UnauthorizedOperation)",
            Translate("UnauthorizedOperation", Message, 403).Message);
    }

    [Fact]
    public void Translate_DenialThatNamesNothing_NamesThePermissionOfTheCall() =>
        Assert.Equal(
            "cannot launch a cell: the credentials do not allow ec2:RunInstances: add it to the controller's policy (UnauthorizedOperation)",
            Translate("UnauthorizedOperation", "You are not authorized to perform this operation.", 403).Message);

    [Fact]
    public void Translate_DenialWhoseDetailsAreEncoded_SaysHowToReadThem() =>
        Assert.Equal(
            "cannot launch a cell: the credentials do not allow ec2:RunInstances: add it to the controller's policy; what exactly is denied says aws sts decode-authorization-message (UnauthorizedOperation)",
            Translate("UnauthorizedOperation", "You are not authorized to perform this operation. Encoded authorization failure message: AbCdEf", 403).Message);

    [Fact]
    public void Translate_NoSuchHost_AsksForTheRegion()
    {
        var error = AwsErrors.Translate(
            new HttpRequestException(HttpRequestError.NameResolutionError, "Name or service not known (ec2.us-east-9.amazonaws.com:443)"), "ec2:RunInstances", "launch a cell");

        Assert.Equal(
            (DriverErrorKind.Transient, "cannot launch a cell: Name or service not known (ec2.us-east-9.amazonaws.com:443): check that there is such a region, and that this machine resolves names"),
            (error.Kind, error.Message));
    }

    [Fact]
    public void Translate_ExplicitDenial_SaysThatAPolicyDenies() =>
        Assert.Equal(
            "cannot launch a cell: the credentials do not allow ec2:RunInstances on *: a policy denies it explicitly: remove that statement (AccessDenied)",
            Translate("AccessDenied", "User: x is not authorized to perform: ec2:RunInstances on resource: * with an explicit deny in a service control policy", 403).Message);

    [Fact]
    public void Translate_NoCredentials_SaysWhereTheyComeFrom()
    {
        var error = AwsErrors.Translate(new AmazonClientException("Failed to resolve AWS credentials."), "ec2:RunInstances", "launch a cell");

        Assert.Equal(DriverErrorKind.Unauthorized, error.Kind);
        Assert.Contains("AWS_PROFILE", error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<Exception> OfTheNetwork => [new HttpRequestException("connection refused"), new XmlException("unexpected end"), new TaskCanceledException(), new IOException("reset")];

    [Theory, MemberData(nameof(OfTheNetwork), DisableDiscoveryEnumeration = true)]
    public void Translate_WhatComesFromTheNetwork_IsTransient(Exception exception) =>
        Assert.Equal(DriverErrorKind.Transient, AwsErrors.Translate(exception, "ec2:RunInstances", "launch a cell").Kind);

    [Fact]
    public void Translate_NothingListens_SaysWhere() =>
        Assert.Equal(
            "cannot launch a cell: Connection refused (127.0.0.1:5000)",
            AwsErrors.Translate(
                new AmazonClientException("wrapped", new HttpRequestException("Connection refused (127.0.0.1:5000)", new IOException("Connection refused"))), "ec2:RunInstances", "launch a cell").Message);

    private static DriverException Translate(string code, string message, int status) =>
        AwsErrors.Translate(new AmazonServiceException(message, null, ErrorType.Unknown, code, "r-1", (HttpStatusCode)status), "ec2:RunInstances", "launch a cell");
}
