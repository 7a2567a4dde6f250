using System.Runtime.InteropServices;

namespace Kip.Agent.Enrolment;

/// <summary>
/// The agent trusts the controller's authority and nobody else, so it has no use for the machine's trusted roots. The runtime would read
/// them all the same when it first handles a certificate: a hundred milliseconds and several megabytes.
/// </summary>
internal static partial class SystemTrust
{
    /// <summary>Points OpenSSL to an empty store. Must come before the first use of a certificate.</summary>
    public static void Forget()
    {
        // By the C library, because the runtime's own environment is a copy that native code does not see.
        foreach (var name in new[] { "SSL_CERT_FILE", "SSL_CERT_DIR" })
        {
            if (SetEnvironment(name, "/dev/null", 1) != 0)
            {
                throw new IOException($"{name} cannot be set: error {Marshal.GetLastPInvokeError()}");
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
