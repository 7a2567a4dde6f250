namespace Kip.Kubernetes;

/// <summary>How far apart two names are, for "did you mean".</summary>
internal static class Spelling
{
    /// <summary>Letters to insert, delete, change or swap with their neighbour; upper and lower case count as the same.</summary>
    public static int Distance(string left, string right)
    {
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
