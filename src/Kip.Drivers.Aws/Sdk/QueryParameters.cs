using System.Globalization;
using Amazon.Runtime.Internal;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>Part of a request that is written as parameters of a form.</summary>
internal interface IQueryStructure
{
    void Write(QueryParameters parameters);
}

/// <summary>
/// Writes a request in EC2's query protocol: members of structures are joined by dots, members of lists are numbered from 1, and what is
/// null is left out.
/// </summary>
internal readonly struct QueryParameters(ParameterCollection target, string prefix)
{
    public void Add(string name, string? value)
    {
        if (value is not null)
        {
            target.Add(prefix + name, value);
        }
    }

    public void Add(string name, int? value) => Add(name, value?.ToString(CultureInfo.InvariantCulture));

    public void Add(string name, bool? value) => Add(name, value switch { true => "true", false => "false", null => null });

    public void Add(string name, DateTime? value) => Add(name, value?.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));

    public void Add(string name, IQueryStructure? value) => value?.Write(new QueryParameters(target, $"{prefix}{name}."));

    public void Add(string name, IReadOnlyList<string>? values)
    {
        for (var i = 0; i < values?.Count; i++)
        {
            Add(Numbered(name, i), values[i]);
        }
    }

    public void Add(string name, IReadOnlyList<IQueryStructure>? values)
    {
        for (var i = 0; i < values?.Count; i++)
        {
            Add(Numbered(name, i), values[i]);
        }
    }

    private static string Numbered(string name, int index) => string.Create(CultureInfo.InvariantCulture, $"{name}.{index + 1}");
}
