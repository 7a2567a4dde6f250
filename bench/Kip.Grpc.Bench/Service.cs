using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;

using Kip.Grpc.Server;
using Kip.Grpc.Tests;

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Kip.Grpc.Bench;

/// <summary>The server, in a process of its own so that its allocations are its own.</summary>
internal static class Service
{
    public static readonly Method<EchoMessage, EchoMessage> Unary =
        Method.Unary("kip.grpc.tests.Echo", "Unary", EchoMessage.Parser, EchoMessage.Parser);

    /// <summary>Prints its port; then answers every line of its input with the bytes it has allocated so far.</summary>
    public static async Task RunAsync(string pemFolder)
    {
        using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(
            Path.Combine(pemFolder, "server.pem"), Path.Combine(pemFolder, "server.key"));
        using X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        using X509Certificate2 authority = X509CertificateLoader.LoadCertificateFromFile(Path.Combine(pemFolder, "ca.pem"));

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ConfigureForGrpc()
            .Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = certificate;
                    https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                    https.ClientCertificateValidation = (client, _, _) => client.Issuer == authority.Subject;
                });
            }));
        await using WebApplication application = builder.Build();
        application.MapGrpcUnary(Unary, (request, _) => Task.FromResult(request));
        await application.StartAsync();

        Console.WriteLine(new Uri(application.Urls.Single()).Port);
        while (await Console.In.ReadLineAsync() is not null)
        {
            Console.WriteLine(GC.GetTotalAllocatedBytes(precise: true).ToString(CultureInfo.InvariantCulture));
        }

        await application.StopAsync();
    }
}
