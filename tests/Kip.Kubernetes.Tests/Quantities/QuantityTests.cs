using System.Globalization;
using System.Numerics;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests;

public sealed class QuantityTests(ITestOutputHelper output)
{
    private static readonly string[] Suffixes =
        ["n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e-3", "e0", "E2", "e+3", "e5"];

    [Theory]
    [InlineData("0", "0")]
    [InlineData("0Ki", "0")]
    [InlineData("00", "0")]
    [InlineData("-0", "0")]
    [InlineData("1", "1")]
    [InlineData("+1", "1")]
    [InlineData("007", "7")]
    [InlineData("1Ki", "1Ki")]
    [InlineData("1024Mi", "1Gi")]
    [InlineData("307200Ki", "300Mi")]
    [InlineData("1025024Mi", "1001Gi")]
    [InlineData("1.5Gi", "1536Mi")]
    [InlineData("1000M", "1G")]
    [InlineData("0.001T", "1G")]
    [InlineData("1000u", "1m")]
    [InlineData("0.5", "500m")]
    [InlineData("1.08", "1080m")]
    [InlineData("1080000000n", "1080m")]
    [InlineData("1.2345", "1234500u")]
    [InlineData("100.035k", "100035")]
    [InlineData("0.0005k", "500m")]
    [InlineData("7.123456M", "7123456")]
    [InlineData("1.01E", "1010P")]
    [InlineData("12E", "12E")]
    [InlineData("1000E", "1e21")]
    [InlineData("18446744073709551616", "18446744073709551616")]
    [InlineData("1e3", "1e3")]
    [InlineData("1E3", "1e3")]
    [InlineData("1e4", "10e3")]
    [InlineData("1e14", "100e12")]
    [InlineData(".001e12", "1e9")]
    [InlineData("1000e-12", "1e-9")]
    [InlineData("0.5e0", "500e-3")]
    [InlineData("1.3E+6", "1300e3")]
    [InlineData("1.7E18", "1700e15")]
    [InlineData("5e0", "5")]
    [InlineData(".001Ki", "1024m")]
    [InlineData(".000001Ki", "1024u")]
    [InlineData(".000000000001Ki", "2n")]
    [InlineData("100.035Ki", "102435840m")]
    [InlineData("0.1Gi", "107374182400m")]
    [InlineData("3.001n", "4n")]
    [InlineData("0.9n", "1n")]
    [InlineData("1.1E-9", "2e-9")]
    [InlineData("1e-999999999", "1e-9")]
    [InlineData("0e999999999", "0")]
    [InlineData("0.00000012354", "124n")]
    [InlineData("9Ei", "9223372036854775807")]
    [InlineData("9223372036854775807Ki", "9223372036854775807")]
    [InlineData("1.", "1")]
    [InlineData("1.G", "1G")]
    public void Parse_Quantity_HasKubernetesCanonicalForm(string text, string canonical)
    {
        Assert.Equal(canonical, Quantity.Parse(text).ToString());
        if (canonical != "0" && text[0] is not ('+' or '-'))
        {
            Assert.Equal("-" + canonical, Quantity.Parse("-" + text).ToString());
            Assert.Equal(canonical, Quantity.Parse("+" + text).ToString());
        }
    }

    [Theory]
    [InlineData("", "quantity '': it is empty")]
    [InlineData("12x", "quantity '12x': unknown suffix 'x'")]
    [InlineData("aoeu", "quantity 'aoeu': it does not start with a number")]
    [InlineData("+", "quantity '+': it does not start with a number")]
    [InlineData(".", "quantity '.': it does not start with a number")]
    [InlineData("1.1.M", "quantity '1.1.M': unknown suffix '.M'")]
    [InlineData("1+1.0M", "quantity '1+1.0M': unknown suffix '+1.0M'")]
    [InlineData("0.1mi", "quantity '0.1mi': unknown suffix 'mi'")]
    [InlineData("1i", "quantity '1i': unknown suffix 'i'")]
    [InlineData("1e", "quantity '1e': unknown suffix 'e'")]
    [InlineData("-3.01e-", "quantity '-3.01e-': unknown suffix 'e-'")]
    [InlineData("1 ", "quantity '1 ': unknown suffix ' '")]
    [InlineData(" 1", "quantity ' 1': it does not start with a number")]
    [InlineData("1K", "quantity '1K': unknown suffix 'K'")]
    [InlineData("1GB", "quantity '1GB': unknown suffix 'GB'")]
    [InlineData("١", "quantity '١': it does not start with a number")]
    [InlineData("1e40", "quantity '1e40': it is too large")]
    [InlineData("1e999999999", "quantity '1e999999999': it is too large")]
    [InlineData("1e99999999999", "quantity '1e99999999999': unknown suffix 'e99999999999'")]
    public void Parse_NoQuantity_SaysWhy(string text, string problem)
    {
        Assert.Equal(problem, Assert.Throws<FormatException>(() => Quantity.Parse(text)).Message);
        Assert.False(Quantity.TryParse(text, out _));
    }

    [Fact]
    public void Parse_VeryLongText_IsRefusedWithoutEchoingAll()
    {
        var message = Assert.Throws<FormatException>(() => Quantity.Parse(new string('9', 1_000_000))).Message;
        Assert.True(message.Length < 100, message);
    }

    [Theory]
    [InlineData("9.01", 10, 9010)]
    [InlineData("-9.01", -10, -9010)]
    [InlineData("1u", 1, 1)]
    [InlineData("2", 2, 2000)]
    [InlineData("1Gi", 1073741824, 1073741824000)]
    [InlineData("1e25", long.MaxValue, long.MaxValue)]
    [InlineData("-1e25", long.MinValue, long.MinValue)]
    public void ToInt64Ceiling_RoundsAwayFromZeroAndSaturates(string text, long units, long milli)
    {
        Assert.Equal(units, Quantity.Parse(text).ToInt64Ceiling());
        Assert.Equal(milli, Quantity.Parse(text).MilliValue());
    }

    [Fact]
    public void Equality_DifferentFormats_IsByValue()
    {
        Assert.Equal(Quantity.Parse("1024"), Quantity.Parse("1Ki"));
        Assert.Equal(Quantity.Parse("1024").GetHashCode(), Quantity.Parse("1Ki").GetHashCode());
        Assert.True(Quantity.Parse("10000T") > Quantity.Parse("100Gi"));
        Assert.True(Quantity.Parse("50m") < Quantity.Parse("100m"));
    }

    [Theory]
    [InlineData("0", "1Gi", "1Gi")]
    [InlineData("1Gi", "0", "1Gi")]
    [InlineData("512Mi", "512Mi", "1Gi")]
    [InlineData("1", "1Ki", "1025")]
    [InlineData("100m", "900m", "1")]
    public void Add_TwoQuantities_KeepsTheFormatOfTheFirstThatIsNotZero(string left, string right, string sum) =>
        Assert.Equal(sum, (Quantity.Parse(left) + Quantity.Parse(right)).ToString());

    [Fact]
    public void Arithmetic_BeyondRange_Throws()
    {
        var large = Quantity.Parse("1e29");
        Assert.Throws<OverflowException>(() => large + large);
        Assert.Throws<OverflowException>(() => large * 10);
        Assert.Throws<OverflowException>(() => -large - large);
    }

    [Theory]
    [InlineData("\"500m\"", "\"500m\"")]
    [InlineData("2", "\"2\"")]
    [InlineData("0.25", "\"250m\"")]
    [InlineData("1e3", "\"1e3\"")]
    [InlineData("\" 1\"", "\"1\"")]
    public void Json_StringOrNumber_IsReadAndWrittenCanonically(string json, string written)
    {
        var pod = KubernetesJson.DeserializePod(
            System.Text.Encoding.UTF8.GetBytes($"{{\"spec\":{{\"overhead\":{{\"cpu\":{json}}}}}}}"));
        Assert.Contains(
            $"{{\"cpu\":{written}}}", System.Text.Encoding.UTF8.GetString(KubernetesJson.SerializeToUtf8(pod)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("[]")]
    [InlineData("\"x\"")]
    public void Json_NoQuantity_IsRefused(string json) =>
        Assert.Throws<JsonException>(() => KubernetesJson.DeserializePod(
            System.Text.Encoding.UTF8.GetBytes($"{{\"spec\":{{\"overhead\":{{\"cpu\":{json}}}}}}}")));

    [Fact]
    public void ToString_AnyQuantity_ParsesBackToTheSameValueAndForm() =>
        Property.Holds(output, Texts(), text =>
        {
            if (Quantity.TryParse(text, out var quantity))
            {
                var canonical = quantity.ToString();
                Assert.Equal(quantity, Quantity.Parse(canonical));
                Assert.Equal(canonical, Quantity.Parse(canonical).ToString());
                Assert.DoesNotContain(".", canonical, StringComparison.Ordinal);
            }
        });

    [Fact]
    public void Parse_AnyQuantity_HasTheExactValueRoundedUpToNano() =>
        Property.Holds(output, Texts(), text =>
        {
            if (Quantity.TryParse(text, out var quantity))
            {
                Assert.Equal(ExactNanos(text), (BigInteger)quantity.Nanos);
            }
        });

    [Fact]
    public void Arithmetic_AnyQuantities_AddsAndComparesAsIntegersDo() =>
        Property.Holds(
            output,
            from left in Gen.Choose(int.MinValue, int.MaxValue)
            from right in Gen.Choose(int.MinValue, int.MaxValue)
            from factor in Gen.Choose(-1000, 1000)
            select (left, right, factor),
            sample =>
            {
                var (left, right) = (Quantity.FromMilli(sample.left), Quantity.FromMilli(sample.right));
                Assert.Equal((long)sample.left + sample.right, (left + right).MilliValue());
                Assert.Equal((long)sample.left - sample.right, (left - right).MilliValue());
                Assert.Equal((long)sample.left * sample.factor, (left * sample.factor).MilliValue());
                Assert.Equal(sample.left.CompareTo(sample.right), left.CompareTo(right));
                Assert.Equal(sample.left < sample.right, left < right);
                Assert.Equal(Math.Max(sample.left, sample.right), Quantity.Max(left, right).MilliValue());
            });

    /// <summary>Kubernetes' own code must read and write every quantity as this one does.</summary>
    [KubectlFact]
    public async Task ToString_RandomQuantities_IsWhatKubectlPrints()
    {
        const int count = 400;
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var texts = Enumerable.Range(0, count)
            .Select(_ => $"{random.Next(0, 5) switch { 0 => "-", _ => "" }}{random.NextInt64(1, 1L << random.Next(1, 30))}"
                + (random.Next(3) == 0 ? $".{random.Next(0, 10_000).ToString("0000", CultureInfo.InvariantCulture)}" : "")
                + Suffixes[random.Next(Suffixes.Length)])
            .Where(text => BigInteger.Abs(ExactNanos(text)) < BigInteger.Pow(10, 29))
            .ToList();
        var manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: c, resources: {limits: {"
            + string.Join(", ", texts.Select((text, i) => $"r{i}: \"{text}\"")) + "}}}]}";

        var (pod, error) = await Kubectl.ReadPodAsync(manifest);

        Assert.Equal("", error);
        var limits = pod!["spec"]!["containers"]![0]!["resources"]!["limits"]!;
        var compared = 0;
        for (var i = 0; i < texts.Count; i++)
        {
            var printed = (string)limits[$"r{i}"]!;
            var mine = Quantity.Parse(texts[i]);

            // Kubernetes prints some texts as they came, although they are not canonical.
            if (printed != texts[i])
            {
                compared++;
                Assert.Equal($"{texts[i]} is {printed}", $"{texts[i]} is {mine}");
            }
            else
            {
                Assert.Equal(mine, Quantity.Parse(printed));
            }
        }

        Assert.True(compared > count / 4, $"only {compared} were rewritten");
    }

    private static Gen<string> Texts() =>
        from sign in Gen.Elements("", "-", "+")
        from whole in Gen.Choose(0, int.MaxValue)
        from shift in Gen.Choose(0, 31)
        from hasFraction in Gen.Elements(true, false)
        from fraction in Gen.Choose(0, 999_999_999)
        from width in Gen.Choose(1, 14)
        from suffix in Gen.Elements(Suffixes)
        select $"{sign}{whole >> shift}{(hasFraction ? "." + fraction.ToString($"D{width}", CultureInfo.InvariantCulture) : "")}{suffix}";

    /// <summary>The value by schoolbook arithmetic, independent of the code under test.</summary>
    private static BigInteger ExactNanos(string text)
    {
        var end = text.Length - text.Reverse().TakeWhile(c => !char.IsAsciiDigit(c) && c != '.').Count();
        var exponentAt = text.IndexOfAny(['e', 'E']);
        if (exponentAt > 0 && exponentAt < text.Length - 1)
        {
            end = exponentAt;
        }

        var suffix = text[end..];
        var number = text[..end].TrimStart('+', '-');
        var dot = number.IndexOf('.', StringComparison.Ordinal);
        var numerator = BigInteger.Parse(number.Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        var denominator = BigInteger.Pow(10, dot < 0 ? 0 : number.Length - dot - 1);
        var isBinary = suffix.EndsWith('i');
        var (multiplier, divisor) = suffix switch
        {
            _ when isBinary => (BigInteger.Pow(1024, 1 + "KMGTPE".IndexOf(suffix[0], StringComparison.Ordinal)), BigInteger.One),
            "n" => (1, BigInteger.Pow(10, 9)),
            "u" => (1, BigInteger.Pow(10, 6)),
            "m" => (1, BigInteger.Pow(10, 3)),
            "" => (1, 1),
            ['e' or 'E', _, ..] => int.Parse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) is var power && power < 0
                ? (BigInteger.One, BigInteger.Pow(10, -power))
                : (BigInteger.Pow(10, power), BigInteger.One),
            _ => (BigInteger.Pow(1000, 1 + "kMGTPE".IndexOf(suffix[0], StringComparison.Ordinal)), 1),
        };
        var quotient = BigInteger.DivRem(numerator * multiplier * 1_000_000_000, denominator * divisor, out var rest);
        var nanos = rest.IsZero ? quotient : quotient + 1;
        if (isBinary)
        {
            nanos = BigInteger.Min(nanos, (BigInteger)long.MaxValue * 1_000_000_000);
        }

        return text[0] == '-' ? -nanos : nanos;
    }
}
