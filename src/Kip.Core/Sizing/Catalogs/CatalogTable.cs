using System.Globalization;
using System.Text;
using Kip.Drivers;

namespace Kip.Sizing.Catalogs;

/// <summary>Walks the rows of one table of a catalog file: lines of values between commas, the names of the columns first.</summary>
internal ref struct CatalogTable
{
    private const int MaxColumns = 24;

    private readonly string _source;
    private readonly ReadOnlySpan<byte> _text;
    private readonly string[] _columns;
    private readonly Span<int> _places;
    private readonly Span<Range> _fields;
    private int _position;
    private int _line;
    private int _lineStart;

    /// <param name="source">The file, for messages.</param>
    /// <param name="text">The table, its header first.</param>
    /// <param name="line">The number of the header's line in the file.</param>
    /// <param name="columns">The columns that must be there, in any order; values are asked for by their index here.</param>
    public CatalogTable(string source, ReadOnlySpan<byte> text, int line, string[] columns)
    {
        _source = source;
        _text = text;
        _columns = columns;
        _line = line;
        _fields = new Range[MaxColumns];
        _places = new int[columns.Length];
        ReadHeader();
    }

    private readonly ReadOnlySpan<byte> Line => _text[_lineStart.._position];

    public bool Next()
    {
        if (!NextLine())
        {
            return false;
        }

        var count = Split();
        return count == _columns.Length ? true : throw Wrong($"has {count} values instead of {_columns.Length}");
    }

    public readonly ReadOnlySpan<byte> Bytes(int column)
    {
        var line = _text[_lineStart..];
        return line[_fields[_places[column]]];
    }

    public readonly string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    public readonly string RequiredText(int column) => Bytes(column) is { IsEmpty: false } ? Text(column) : throw Wrong(column, "is empty");

    public readonly long? Number(int column, long least = 0)
    {
        var text = Bytes(column);
        if (text.IsEmpty)
        {
            return null;
        }

        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least
            ? number
            : throw Wrong(column, $"'{Text(column)}' is not a whole number of at least {least}");
    }

    public readonly long RequiredNumber(int column) => Number(column, 1) ?? throw Wrong(column, "is empty");

    public readonly decimal? Amount(int column)
    {
        var text = Bytes(column);
        if (text.IsEmpty)
        {
            return null;
        }

        return decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount)
            ? amount
            : throw Wrong(column, $"'{Text(column)}' is not an amount");
    }

    /// <summary>Whether it is offered, and at what price: nothing for not, <c>?</c> for at a price that is not known.</summary>
    public readonly (bool IsOffered, decimal? Price) Price(int column)
    {
        var text = Bytes(column);
        if (text.IsEmpty)
        {
            return (false, null);
        }

        if (text.Length == 1 && text[0] == (byte)'?')
        {
            return (true, null);
        }

        return Amount(column) is > 0 and var price ? (true, price) : throw Wrong(column, "a price must be greater than 0");
    }

    /// <summary><c>2026-08</c>, with <c>~</c> for derived; nothing where there is no price to tell of.</summary>
    public readonly PriceBasis Basis(int column)
    {
        var text = Bytes(column);
        if (text.IsEmpty)
        {
            return default;
        }

        var derived = text[^1] == (byte)'~';
        var month = derived ? text[..^1] : text;
        return month.Length == 7
            && month[4] == (byte)'-'
            && int.TryParse(month[..4], NumberStyles.None, CultureInfo.InvariantCulture, out var year)
            && int.TryParse(month[5..], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && year >= 2000
            && number is >= 1 and <= 12
            ? new PriceBasis(new DateOnly(year, number, 1), derived)
            : throw Wrong(column, $"'{Text(column)}' is not a month such as 2026-08 or 2026-08~");
    }

    public readonly CatalogException Wrong(int column, string problem) => new($"{_source}: line {_line}, column {_columns[column]}: {problem}");

    private readonly CatalogException Wrong(string problem) => new($"{_source}: line {_line}: {problem}");

    private void ReadHeader()
    {
        if (!NextLine())
        {
            throw Wrong("the names of the columns are missing");
        }

        var count = Split();
        var seen = 0;
        for (var i = 0; i < count; i++)
        {
            var name = Encoding.UTF8.GetString(Line[_fields[i]]);
            var column = Array.IndexOf(_columns, name);
            if (column < 0)
            {
                throw Wrong($"there is no column {name}; there are {string.Join(", ", _columns)}");
            }

            _places[column] = i;
            seen |= 1 << column;
        }

        for (var column = 0; column < _columns.Length; column++)
        {
            if ((seen & (1 << column)) == 0)
            {
                throw Wrong($"column {_columns[column]} is missing");
            }
        }

        if (count != _columns.Length)
        {
            throw Wrong("a column is named twice");
        }
    }

    private bool NextLine()
    {
        if (_lineStart > 0 || _position > 0)
        {
            _position++;
            _line++;
        }

        if (_position >= _text.Length)
        {
            return false;
        }

        _lineStart = _position;
        var length = _text[_lineStart..].IndexOf((byte)'\n');
        _position = length < 0 ? _text.Length : _lineStart + length;
        return true;
    }

    private readonly int Split()
    {
        var line = Line;
        if (line.Length > 0 && line[^1] == (byte)'\r')
        {
            line = line[..^1];
        }

        int count = 0, start = 0;
        while (true)
        {
            if (count == MaxColumns)
            {
                throw Wrong($"has more than {MaxColumns} values");
            }

            var comma = line[start..].IndexOf((byte)',');
            var end = comma < 0 ? line.Length : start + comma;
            _fields[count++] = start..end;
            if (comma < 0)
            {
                return count;
            }

            start = end + 1;
        }
    }
}
