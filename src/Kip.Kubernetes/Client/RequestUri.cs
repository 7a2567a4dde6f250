using System.Globalization;
using System.Text;

namespace Kip.Kubernetes.Client;

/// <summary>Puts a path and its query together.</summary>
internal sealed class RequestUri(string path)
{
    private readonly StringBuilder _text = new(path);
    private bool _hasQuery;

    public RequestUri With(string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            _text.Append(_hasQuery ? '&' : '?').Append(name).Append('=').Append(Uri.EscapeDataString(value));
            _hasQuery = true;
        }

        return this;
    }

    public RequestUri With(string name, TimeSpan? value) =>
        With(name, value is { } time ? ((long)Math.Ceiling(time.TotalSeconds)).ToString(CultureInfo.InvariantCulture) : null);

    public override string ToString() => _text.ToString();
}
