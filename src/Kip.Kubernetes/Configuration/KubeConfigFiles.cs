namespace Kip.Kubernetes.Configuration;

/// <summary>Where kubeconfig files are found.</summary>
internal static class KubeConfigFiles
{
    /// <summary>The files that apply, first the one that wins; none when there are none in the usual places.</summary>
    public static IReadOnlyList<string> Find(string? path) => Find(
        path, Environment.GetEnvironmentVariable("KUBECONFIG"), Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    public static IReadOnlyList<string> Find(string? path, string? variable, string home)
    {
        if (path is not null)
        {
            return [path];
        }

        if (!string.IsNullOrEmpty(variable))
        {
            // As kubectl does: files of the list that do not exist are passed over, unless none does.
            var listed = variable.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            var existing = listed.Where(File.Exists).ToArray();
            return existing.Length > 0 ? existing : listed;
        }

        var usual = Path.Combine(home, ".kube", "config");
        return File.Exists(usual) ? [usual] : [];
    }
}
