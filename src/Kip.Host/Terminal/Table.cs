namespace Kip.Host.Terminal;

/// <summary>Rows of text in columns, as kubectl prints them.</summary>
internal static class Table
{
    public static void Write(TextWriter output, IReadOnlyList<string[]> rows, string indent = "")
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            output.WriteLine((indent + string.Join("   ", row.Select((text, column) => text.PadRight(widths[column])))).TrimEnd());
        }
    }
}
