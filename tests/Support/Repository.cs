namespace Kip.Tests.Support;

/// <summary>Where the sources are that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>The root of the repository.</summary>
    public static string Root { get; } = Environment.GetEnvironmentVariable("KIP_TEST_ROOT") is { Length: > 0 } given ? given : FindRoot();

    private static string FindRoot()
    {
        var directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(Path.Combine(directory, "Kip.sln")))
        {
            directory = Path.GetDirectoryName(directory);
        }

        return directory ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not in Kip's repository, and KIP_TEST_ROOT is not set");
    }
}
