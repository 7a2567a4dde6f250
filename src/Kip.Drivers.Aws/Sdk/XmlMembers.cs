using System.Globalization;
using System.Xml;
using System.Xml.Linq;

namespace Kip.Drivers.Aws.Sdk;

/// <summary>
/// Reads the members of an answer. What is absent is null or empty, what is not asked for is passed over: answers grow with the years.
/// </summary>
internal static class XmlMembers
{
    private static readonly XmlReaderSettings Settings = new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null };

    /// <summary>Parses an answer and takes the namespaces away, which change with the version and say nothing.</summary>
    /// <exception cref="XmlException">It is not XML, or not all of it.</exception>
    public static XElement Parse(Stream stream)
    {
        using var reader = XmlReader.Create(stream, Settings);
        var root = XElement.Load(reader);
        foreach (var element in root.DescendantsAndSelf())
        {
            element.Name = element.Name.LocalName;
        }

        return root;
    }

    public static string? Text(this XElement element, string name) => element.Element(name)?.Value is { Length: > 0 } text ? text : null;

    public static int? Int32(this XElement element, string name) =>
        int.TryParse(element.Text(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    public static long? Int64(this XElement element, string name) =>
        long.TryParse(element.Text(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    public static double? Double(this XElement element, string name) =>
        double.TryParse(element.Text(name), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null;

    public static bool? Boolean(this XElement element, string name) => bool.TryParse(element.Text(name), out var value) ? value : null;

    public static DateTime? Timestamp(this XElement element, string name) =>
        DateTime.TryParse(element.Text(name), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out var value)
            ? value
            : null;

    public static T? Structure<T>(this XElement element, string name, Func<XElement, T> read)
        where T : class =>
        element.Element(name) is { } found ? read(found) : null;

    public static List<T> List<T>(this XElement element, string name, Func<XElement, T> read) =>
        [.. (element.Element(name)?.Elements("item") ?? []).Select(read)];

    public static List<string> Texts(this XElement element, string name) => element.List(name, static item => item.Value);
}
