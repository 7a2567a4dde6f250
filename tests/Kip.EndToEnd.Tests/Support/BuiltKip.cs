using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>The kip program as <c>./kip</c> and <c>./test</c> build it, and what it needs beside it.</summary>
internal static class BuiltKip
{
    public static string Program => Path.Combine(Repository.Root, "artifacts", "kip", "kip");

    public static string Agent => Environment.GetEnvironmentVariable("KIP_AGENT") is { Length: > 0 } given
        ? given
        : Path.Combine(Repository.Root, "artifacts", "kip", "agent", "kip-agent");

    public static IReadOnlyList<string> ImageArchives { get; } =
        Environment.GetEnvironmentVariable("KIP_IMAGE_ARCHIVES") is { Length: > 0 } given
            ? given.Split(':', StringSplitOptions.RemoveEmptyEntries)
            : [Path.Combine(Repository.Root, "artifacts", "images", "pause.tar"), Path.Combine(Repository.Root, "artifacts", "images", "busybox.tar")];

    public static string Sample(string pod) => Path.Combine(Repository.Root, "samples", "pods", pod);

    /// <summary>What stands in the way of driving the real program, or null.</summary>
    public static string? Missing(params string[] tools) =>
        !Environment.IsPrivilegedProcess ? "cells need root"
        : ImageArchives.Append(Agent).Append(Program).FirstOrDefault(static f => !File.Exists(f)) is { } file ? $"{file} is missing: ./test makes it"
        : tools.Prepend("containerd").FirstOrDefault(static t => !IsInstalled(t)) is { } tool ? $"not installed: {tool}"
        : null;

    private static bool IsInstalled(string tool) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(["/usr/sbin", "/sbin"]).Any(d => File.Exists(Path.Combine(d, tool)));
}
