using System.Globalization;
using System.Text;

namespace Kip.VirtualKubelet.Server;

/// <summary>Metrics in Prometheus' text format, version 0.0.4.</summary>
internal sealed class MetricsText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();
    private string _name = "";

    /// <summary>Begins a metric, to which the samples that follow belong.</summary>
    public MetricsText Begin(string name, string type, string help)
    {
        _name = name;
        _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
        return this;
    }

    /// <summary>Adds a sample, when there is one.</summary>
    public MetricsText Sample(double? value, DateTimeOffset? time, params ReadOnlySpan<(string Name, string? Value)> labels)
    {
        if (value is not { } number)
        {
            return this;
        }

        _text.Append(_name);
        for (var i = 0; i < labels.Length; i++)
        {
            _text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"");
            AppendEscaped(labels[i].Value ?? "");
            _text.Append('"').Append(i == labels.Length - 1 ? "}" : "");
        }

        _text.Append(' ').Append(number.ToString("R", CultureInfo.InvariantCulture));
        if (time is { } measured)
        {
            _text.Append(' ').Append(measured.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture));
        }

        _text.Append('\n');
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    private void AppendEscaped(string value)
    {
        foreach (var character in value)
        {
            _ = character switch
            {
                '\\' => _text.Append(@"\\"),
                '"' => _text.Append("\\\""),
                '\n' => _text.Append("\\n"),
                _ => _text.Append(character),
            };
        }
    }
}
