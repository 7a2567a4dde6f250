using System.Net.Security;
using System.Security.Cryptography;

namespace Kip.VirtualKubelet.Server;

/// <summary>A certificate with those of its issuers, and its key, in PEM files, read again when they change. Safe for concurrent use.</summary>
public sealed class CertificateFiles
{
    private readonly Lock _lock = new();
    private readonly string _certificate;
    private readonly string _key;
    private (DateTime Certificate, DateTime Key) _written;
    private SslStreamCertificateContext _current;

    /// <summary>Reads the files.</summary>
    /// <param name="certificate">PEM file of the certificate; those of its issuers may follow.</param>
    /// <param name="key">PEM file of its private key.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">They hold no certificate and its key.</exception>
    public CertificateFiles(string certificate, string key)
    {
        (_certificate, _key) = (certificate, key);
        _written = Written();
        _current = Read();
    }

    /// <summary>What to serve. One that is being replaced, and is not whole yet, is not taken up before it is.</summary>
    public SslStreamCertificateContext Current
    {
        get
        {
            lock (_lock)
            {
                var written = Written();
                if (written != _written)
                {
                    try
                    {
                        (_current, _written) = (Read(), written);
                    }
                    catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
                    {
                        // Asked for again with the next connection; until then the old one is as good as it was.
                    }
                }

                return _current;
            }
        }
    }

    private SslStreamCertificateContext Read() => ServingCertificates.Read(File.ReadAllText(_certificate), File.ReadAllText(_key), $"{_certificate} and {_key}");

    private (DateTime Certificate, DateTime Key) Written() => (File.GetLastWriteTimeUtc(_certificate), File.GetLastWriteTimeUtc(_key));
}
