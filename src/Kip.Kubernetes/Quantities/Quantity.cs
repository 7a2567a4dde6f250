using System.Text.Json.Serialization;

namespace Kip.Kubernetes;

/// <summary>
/// An amount of a resource as Kubernetes writes it: <c>500m</c>, <c>1.5Gi</c>, <c>2</c>, <c>1e3</c>. Exact to the
/// billionth (nano), never floating point. It remembers the suffix family it was written with, and
/// <see cref="ToString"/> gives the canonical form in that family; equality and order are by value alone.
/// The format and its corner cases are those of apimachinery's <c>resource.Quantity</c>.
/// </summary>
/// <remarks>
/// Values reach about ±1.7e29; arithmetic beyond that throws <see cref="OverflowException"/>. Amounts with a binary
/// suffix are capped at 2^63-1 when parsed, as Kubernetes does.
/// </remarks>
[JsonConverter(typeof(QuantityConverter))]
public readonly struct Quantity : IEquatable<Quantity>, IComparable<Quantity>, IComparable
{
    internal const long NanosPerUnit = 1_000_000_000;
    private const long NanosPerMilli = 1_000_000;

    private readonly Int128 _nanos;

    internal Quantity(Int128 nanos, QuantityFormat format)
    {
        _nanos = nanos;
        Format = format;
    }

    /// <summary>Nothing. Also the default value.</summary>
    public static Quantity Zero => default;

    /// <summary>The suffix family used by <see cref="ToString"/>.</summary>
    public QuantityFormat Format { get; }

    /// <summary>Whether the amount is 0.</summary>
    public bool IsZero => _nanos == 0;

    /// <summary>-1, 0 or 1.</summary>
    public int Sign => Int128.Sign(_nanos);

    internal Int128 Nanos => _nanos;

    /// <summary>Makes a quantity of whole units, such as CPU cores or a count.</summary>
    public static Quantity FromInt64(long value, QuantityFormat format = QuantityFormat.DecimalSI) =>
        new((Int128)value * NanosPerUnit, format);

    /// <summary>Makes a quantity of thousandths, such as CPU millicores.</summary>
    public static Quantity FromMilli(long value) => new((Int128)value * NanosPerMilli, QuantityFormat.DecimalSI);

    /// <summary>Makes a quantity of bytes, written with binary suffixes.</summary>
    public static Quantity FromBytes(long value) => FromInt64(value, QuantityFormat.BinarySI);

    /// <summary>Reads a quantity.</summary>
    /// <exception cref="FormatException"><paramref name="text"/> is no quantity; the message says why.</exception>
    public static Quantity Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out var quantity, out var problem) ? quantity : throw new FormatException(problem);
    }

    /// <summary>Reads a quantity; false when <paramref name="text"/> is none.</summary>
    public static bool TryParse(string? text, out Quantity quantity) => TryParse(text, out quantity, out _);

    /// <summary>Reads a quantity; false, with what is wrong, when <paramref name="text"/> is none.</summary>
    public static bool TryParse(string? text, out Quantity quantity, out string problem)
    {
        (quantity, var found) = QuantityText.Parse(text ?? "");
        problem = found ?? "";
        return found is null;
    }

    /// <summary>The larger of two amounts; the first one when they are equal.</summary>
    public static Quantity Max(Quantity left, Quantity right) => left >= right ? left : right;

    /// <summary>The smaller of two amounts; the first one when they are equal.</summary>
    public static Quantity Min(Quantity left, Quantity right) => left <= right ? left : right;

    /// <summary>Adds. The sum has the left side's suffix family, or the right side's when the left side is 0.</summary>
    public static Quantity operator +(Quantity left, Quantity right) =>
        new(checked(left._nanos + right._nanos), left.IsZero ? right.Format : left.Format);

    /// <summary>Subtracts. The difference has the left side's suffix family, or the right side's when the left side is 0.</summary>
    public static Quantity operator -(Quantity left, Quantity right) =>
        new(checked(left._nanos - right._nanos), left.IsZero ? right.Format : left.Format);

    /// <summary>Negates.</summary>
    public static Quantity operator -(Quantity value) => new(checked(-value._nanos), value.Format);

    /// <summary>Multiplies.</summary>
    public static Quantity operator *(Quantity value, long factor) => new(checked(value._nanos * factor), value.Format);

    /// <summary>Adds; see the operator.</summary>
    public static Quantity Add(Quantity left, Quantity right) => left + right;

    /// <summary>Subtracts; see the operator.</summary>
    public static Quantity Subtract(Quantity left, Quantity right) => left - right;

    /// <summary>Negates.</summary>
    public static Quantity Negate(Quantity value) => -value;

    /// <summary>Multiplies.</summary>
    public static Quantity Multiply(Quantity value, long factor) => value * factor;

    /// <summary>Whether both are the same amount.</summary>
    public static bool operator ==(Quantity left, Quantity right) => left._nanos == right._nanos;

    /// <summary>Whether they are different amounts.</summary>
    public static bool operator !=(Quantity left, Quantity right) => left._nanos != right._nanos;

    /// <summary>Whether the left amount is smaller.</summary>
    public static bool operator <(Quantity left, Quantity right) => left._nanos < right._nanos;

    /// <summary>Whether the left amount is larger.</summary>
    public static bool operator >(Quantity left, Quantity right) => left._nanos > right._nanos;

    /// <summary>Whether the left amount is not larger.</summary>
    public static bool operator <=(Quantity left, Quantity right) => left._nanos <= right._nanos;

    /// <summary>Whether the left amount is not smaller.</summary>
    public static bool operator >=(Quantity left, Quantity right) => left._nanos >= right._nanos;

    /// <summary>The amount in whole units, rounded away from zero; values outside of <see cref="long"/> become its ends.</summary>
    public long ToInt64Ceiling() => Scaled(NanosPerUnit);

    /// <summary>The amount in thousandths, rounded away from zero; values outside of <see cref="long"/> become its ends.</summary>
    public long MilliValue() => Scaled(NanosPerMilli);

    /// <inheritdoc/>
    public int CompareTo(Quantity other) => _nanos.CompareTo(other._nanos);

    /// <inheritdoc/>
    public int CompareTo(object? obj) => obj switch
    {
        null => 1,
        Quantity other => CompareTo(other),
        _ => throw new ArgumentException("A quantity compares with quantities only.", nameof(obj)),
    };

    /// <inheritdoc/>
    public bool Equals(Quantity other) => _nanos == other._nanos;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Quantity other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _nanos.GetHashCode();

    /// <summary>The canonical form: no fraction, the largest suffix of the family that loses nothing.</summary>
    public override string ToString() => QuantityText.Format(this);

    private long Scaled(long nanosPerStep)
    {
        var (steps, rest) = Int128.DivRem(_nanos, nanosPerStep);
        var rounded = steps + Int128.Sign(rest);
        return (long)Int128.Clamp(rounded, long.MinValue, long.MaxValue);
    }
}
