namespace Kip.Kubernetes;

/// <summary>How far apart two names are, for "did you mean".</summary>
public static class Spelling
{
    private const int MaxLength = 64;

    /// <summary>The candidate that was probably meant, or null when none is near. Of two as near the first in alphabetical order.</summary>
    public static string? Closest(string name, IEnumerable<string> candidates) => Near(name, candidates).FirstOrDefault();

    /// <summary>The candidates that may have been meant, the nearest first, and of those as near in alphabetical order.</summary>
    public static IEnumerable<string> Near(string name, IEnumerable<string> candidates)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length > MaxLength
            ? []
            : candidates
                .Select(candidate => (Name: candidate, Distance: Distance(name, candidate)))
                .Where(candidate => candidate.Distance <= Math.Max(1, name.Length / 3))
                .OrderBy(candidate => candidate.Distance)
                .ThenBy(candidate => candidate.Name, StringComparer.Ordinal)
                .Select(candidate => candidate.Name);
    }

    /// <summary>Letters to insert, delete, change or swap with their neighbour; upper and lower case count as the same.</summary>
    public static int Distance(string left, string right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        var rows = new int[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++)
        {
            for (var j = 0; j <= right.Length; j++)
            {
                rows[i, j] = i == 0 || j == 0 ? i + j : Step(i, j);
            }
        }

        return rows[left.Length, right.Length];

        int Step(int i, int j)
        {
            var change = Same(i, j) ? 0 : 1;
            var distance = Math.Min(Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1, rows[i - 1, j - 1] + change);
            return i > 1 && j > 1 && Same(i, j - 1) && Same(i - 1, j) ? Math.Min(distance, rows[i - 2, j - 2] + 1) : distance;
        }

        bool Same(int i, int j) => char.ToLowerInvariant(left[i - 1]) == char.ToLowerInvariant(right[j - 1]);
    }
}
