using Amazon.EC2.Model;

namespace Kip.Drivers.Aws;

/// <summary>Tags as EC2 takes them.</summary>
internal static class AwsTags
{
    private const int MaxValue = 256;

    /// <summary>Kip's own tags and then the operator's that are not called the same; always in the same order, as one launch token wants it.</summary>
    public static List<Tag> Make(IReadOnlyDictionary<string, string> own, IReadOnlyDictionary<string, string> more) =>
    [
        .. own.Concat(more.Where(tag => !own.ContainsKey(tag.Key)))
            .OrderBy(static tag => tag.Key, StringComparer.Ordinal)
            .Select(static tag => new Tag(tag.Key, Shorten(tag))),
    ];

    // Only the display name may be longer than EC2 allows: the names of a namespace and a pod take up to 63 and 253.
    private static string Shorten(KeyValuePair<string, string> tag) =>
        tag.Key == InstanceTags.Name && tag.Value.Length > MaxValue ? tag.Value[..MaxValue] : tag.Value;
}
