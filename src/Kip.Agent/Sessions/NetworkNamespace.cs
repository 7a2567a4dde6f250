using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Kip.Agent.Sessions;

/// <summary>Does something inside a network namespace.</summary>
internal static partial class NetworkNamespace
{
    private const int CloneNewNet = 0x40000000;

    /// <summary>
    /// Runs a short piece of code in the namespace. It gets a thread that nobody else will ever use: a thread of the pool that could not
    /// go back would make other people's sockets in the wrong place. For the same reason it must not start tasks or threads.
    /// </summary>
    /// <param name="path">A file that stands for the namespace; null for the one that the agent is in.</param>
    /// <param name="action">What to do.</param>
    /// <exception cref="IOException">The namespace cannot be entered.</exception>
    public static T Run<T>(string? path, Func<T> action)
    {
        if (path is null)
        {
            return action();
        }

        T? result = default;
        Exception? error = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter(path);
                result = action();
            }
            catch (Exception e)
            {
                // Whatever it is, it belongs to the caller, who waits below.
                error = e;
            }
        })
        {
            IsBackground = true,
            Name = "network namespace",
        };
        thread.Start();
        thread.Join();
        return error is null ? result! : throw new IOException($"In network namespace {path}: {error.Message}", error);
    }

    private static void Enter(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if (SetNamespace(file, CloneNewNet) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(SafeFileHandle file, int kind);
}
