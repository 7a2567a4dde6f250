namespace Kip.Kubernetes;

/// <summary>A manifest that cannot be used. The message reads <c>source:line:column: what is wrong</c>.</summary>
public sealed class ManifestException : FormatException
{
    /// <summary>Makes the error for a place in a manifest.</summary>
    public ManifestException(string source, int line, int column, string problem, Exception? inner = null)
        : base($"{source}:{line}:{column}: {problem}", inner)
    {
        SourceName = source;
        Line = line;
        Column = column;
        Problem = problem;
    }

    /// <summary>The name of the manifest, such as its path.</summary>
    public string SourceName { get; }

    /// <summary>The line, from 1.</summary>
    public int Line { get; }

    /// <summary>The column, from 1.</summary>
    public int Column { get; }

    /// <summary>What is wrong, without the place.</summary>
    public string Problem { get; }
}
