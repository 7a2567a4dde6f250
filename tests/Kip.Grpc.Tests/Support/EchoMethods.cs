namespace Kip.Grpc.Tests.Support;

/// <summary>The methods of <c>js/echo.proto</c>.</summary>
internal static class EchoMethods
{
    private const string Service = "kip.grpc.tests.Echo";

    public static readonly Method<EchoMessage, EchoMessage> Unary =
        Method.Unary(Service, "Unary", EchoMessage.Parser, EchoMessage.Parser);

    public static readonly Method<FailRequest, EchoMessage> Fail =
        Method.Unary(Service, "Fail", FailRequest.Parser, EchoMessage.Parser);

    public static readonly Method<WaitRequest, EchoMessage> Wait =
        Method.Unary(Service, "Wait", WaitRequest.Parser, EchoMessage.Parser);

    public static readonly Method<WaitRequest, EchoMessage> AwaitCancellation =
        Method.Unary(Service, "AwaitCancellation", WaitRequest.Parser, EchoMessage.Parser);

    public static readonly Method<StreamRequest, EchoMessage> ServerStream =
        Method.ServerStreaming(Service, "ServerStream", StreamRequest.Parser, EchoMessage.Parser);

    public static readonly Method<EchoMessage, EchoMessage> ClientStream =
        Method.ClientStreaming(Service, "ClientStream", EchoMessage.Parser, EchoMessage.Parser);

    public static readonly Method<EchoMessage, EchoMessage> Duplex =
        Method.DuplexStreaming(Service, "Duplex", EchoMessage.Parser, EchoMessage.Parser);

    public static readonly Method<EchoMessage, EchoMessage> Missing =
        Method.Unary(Service, "Missing", EchoMessage.Parser, EchoMessage.Parser);
}
