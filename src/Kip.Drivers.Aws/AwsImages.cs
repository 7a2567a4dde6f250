using System.Collections.Concurrent;
using System.Globalization;
using Amazon.EC2;
using Amazon.EC2.Model;
using Amazon.SimpleSystemsManagement;
using Amazon.SimpleSystemsManagement.Model;

namespace Kip.Drivers.Aws;

/// <summary>An image as a launch needs it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="RootDeviceName">What its root disk is called, for example <c>/dev/xvda</c>.</param>
/// <param name="DiskGib">Size of its root disk in GiB: that of a cell cannot be less.</param>
/// <param name="Architecture">As Kubernetes writes it; null for one that no cell has.</param>
internal sealed record CellImage(string Id, string RootDeviceName, int DiskGib, string? Architecture);

/// <summary>Finds images. What a reference meant is kept for some minutes, since every launch asks; what an image is never changes.</summary>
internal sealed class AwsImages(AwsCalls calls, AwsDriverOptions options, TimeProvider timeProvider)
{
    private const char Separator = ',';
    private const string AnyArchitecture = "{arch}";
    private static readonly string[] Architectures = ["amd64", "arm64"];
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, (string Id, long ReadAt)> _resolved = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, CellImage> _images = new(StringComparer.Ordinal);

    /// <summary>The ids that a reference means now, one for each architecture, separated by commas.</summary>
    /// <exception cref="DriverException">There is no such image, or the reference cannot be read.</exception>
    public async Task<string> ResolveAsync(string reference, CancellationToken cancellationToken)
    {
        reference = reference.Length == 0 ? options.Image : reference;
        if (_resolved.TryGetValue(reference, out var known) && timeProvider.GetElapsedTime(known.ReadAt) < Lifetime)
        {
            return known.Id;
        }

        var ids = string.Join(Separator, await FindAsync(reference, cancellationToken).ConfigureAwait(false));
        _resolved[reference] = (ids, timeProvider.GetTimestamp());
        return ids;
    }

    /// <summary>The image of those that a type of instances can boot.</summary>
    /// <param name="ids">From <see cref="ResolveAsync"/>.</param>
    /// <param name="instanceType">The type.</param>
    /// <param name="catalog">Knows its architecture.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="DriverException">There is no such image, or none for the type.</exception>
    public async Task<CellImage> ChooseAsync(string ids, string instanceType, AwsCatalog catalog, CancellationToken cancellationToken)
    {
        List<CellImage> images = [];
        foreach (var id in ids.Split(Separator))
        {
            images.Add(await GetAsync(id, cancellationToken).ConfigureAwait(false));
        }

        // Of one image EC2 says itself that it does not suit a type that was not read yet.
        var wanted = images.Count > 1
            ? await catalog.ReadArchitectureAsync(instanceType, cancellationToken).ConfigureAwait(false)
            : catalog.FindArchitecture(instanceType);
        return wanted is null
            ? images[0]
            : images.Find(image => image.Architecture == wanted) ?? throw new DriverException(
                DriverErrorKind.InvalidConfiguration,
                $"a {instanceType} is {wanted}, and the image {ids} is for {string.Join(", ", images.Select(static image => image.Architecture ?? "another architecture"))}: "
                + $"configure an image for {wanted} too, for example by {AnyArchitecture} in a parameter's path, or let the pod ask for kubernetes.io/arch={images[0].Architecture}");
    }

    /// <summary>What a launch must know of an image.</summary>
    /// <exception cref="DriverException">There is no such image.</exception>
    public async Task<CellImage> GetAsync(string id, CancellationToken cancellationToken)
    {
        if (_images.TryGetValue(id, out var known))
        {
            return known;
        }

        var found = await DescribeAsync($"read the image {id}", new DescribeImagesRequest { ImageIds = [id] }, cancellationToken).ConfigureAwait(false);
        return found.Count > 0 ? Remember(found[0]) : throw NotFound($"there is no image {id} in {options.Region}, or it is not shared with this account");
    }

    private async Task<IReadOnlyList<string>> FindAsync(string reference, CancellationToken cancellationToken)
    {
        if (reference.StartsWith("ami-", StringComparison.Ordinal))
        {
            return [(await GetAsync(reference, cancellationToken).ConfigureAwait(false)).Id];
        }

        if (reference.StartsWith('/'))
        {
            return reference.Contains(AnyArchitecture, StringComparison.Ordinal)
                ? await ReadParametersAsync(reference, cancellationToken).ConfigureAwait(false)
                : [await ReadParameterAsync(reference, cancellationToken).ConfigureAwait(false)];
        }

        var found = await DescribeAsync($"look for the image {reference}", ImageQuery.Parse(reference), cancellationToken).ConfigureAwait(false);
        var newest = found
            .Where(static image => image.State is null || image.State == ImageState.Available)
            .OrderByDescending(static image => image.CreationDate, StringComparer.Ordinal)
            .ThenBy(static image => image.ImageId, StringComparer.Ordinal)
            .DistinctBy(static image => Architecture(image))
            .Select(Remember)
            .OrderBy(static image => image.Architecture ?? "other", StringComparer.Ordinal)
            .ToList();
        return newest.Count == 0 ? throw NotFound($"no image in {options.Region} matches {reference}") : [.. newest.Select(static image => image.Id)];
    }

    private async Task<string> ReadParameterAsync(string path, CancellationToken cancellationToken)
    {
        var purpose = $"find the image that the parameter {path} names";
        var parameter = await AwsCalls.CallAsync(calls.Ssm, SsmActions.GetParameter, new GetParameterRequest { Name = path }, purpose, cancellationToken).ConfigureAwait(false);
        return parameter.Parameter?.Value is { Length: > 0 } id ? id : throw NotFound($"the parameter {path} is empty");
    }

    /// <summary>The images of all architectures that there are parameters for.</summary>
    private async Task<IReadOnlyList<string>> ReadParametersAsync(string path, CancellationToken cancellationToken)
    {
        List<string> ids = [];
        DriverException? missing = null;
        foreach (var architecture in Architectures)
        {
            try
            {
                ids.Add(await ReadParameterAsync(path.Replace(AnyArchitecture, architecture, StringComparison.Ordinal), cancellationToken).ConfigureAwait(false));
            }
            catch (DriverException error) when (error.Kind == DriverErrorKind.NotFound)
            {
                missing = error;
            }
        }

        return ids.Count > 0 ? ids : throw missing!;
    }

    private Task<List<Image>> DescribeAsync(string purpose, DescribeImagesRequest request, CancellationToken cancellationToken) =>
        AwsCalls.PageAsync("ec2:DescribeImages", purpose, calls.Ec2.Paginators.DescribeImages(request).Responses, static response => response.Images, cancellationToken);

    private CellImage Remember(Image image)
    {
        var id = image.ImageId ?? throw NotFound("EC2 describes an image without an id");
        var root = image.RootDeviceName
            ?? throw new DriverException(DriverErrorKind.InvalidConfiguration, $"the image {id} has no root device on EBS: use one that has");
        var disk = image.BlockDeviceMappings?.Find(mapping => mapping.DeviceName == root)?.Ebs?.VolumeSize ?? 0;
        return _images.GetOrAdd(id, new CellImage(id, root, disk, Architecture(image)));
    }

    private static string? Architecture(Image image) => AwsCatalog.Architecture([image.Architecture ?? ""]);

    private static DriverException NotFound(string message) => new(DriverErrorKind.NotFound, message);
}

/// <summary>Which images are meant by a reference that is neither an id nor a parameter.</summary>
internal static class ImageQuery
{
    /// <summary>
    /// Reads <c>owners=…; filters=name=a,b architecture=c; executableUsers=…; imageIDs=…</c>, whose values are separated by spaces as in the Go
    /// Kip's bootImageSpec, or the name of an own image.
    /// </summary>
    /// <exception cref="DriverException">There is a key that means nothing, or a filter without a value.</exception>
    public static DescribeImagesRequest Parse(string reference)
    {
        if (!reference.Contains('=', StringComparison.Ordinal))
        {
            return new DescribeImagesRequest { Owners = ["self"], Filters = [Ec2Filter.On("name", reference)] };
        }

        var request = new DescribeImagesRequest();
        foreach (var part in reference.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = Split(part, reference);
            List<string> values = [.. value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)];
            switch (key)
            {
                case "owners":
                    request.Owners = values;
                    break;
                case "executableUsers":
                    request.ExecutableUsers = values;
                    break;
                case "imageIDs":
                    request.ImageIds = values;
                    break;
                case "filters":
                    request.Filters = [.. values.Select(filter => ReadFilter(filter, reference))];
                    break;
                default:
                    throw Invalid(reference, $"{key} is none of owners, filters, executableUsers, imageIDs");
            }
        }

        return request;
    }

    private static Filter ReadFilter(string text, string reference)
    {
        var (name, value) = Split(text, reference);
        return Ec2Filter.On(name, value.Split(','));
    }

    private static (string Key, string Value) Split(string text, string reference) =>
        text.IndexOf('=', StringComparison.Ordinal) is > 0 and var at && at + 1 < text.Length
            ? (text[..at].Trim(), text[(at + 1)..].Trim())
            : throw Invalid(reference, $"\"{text}\" is not name=value");

    private static DriverException Invalid(string reference, string why) =>
        new(DriverErrorKind.InvalidConfiguration, string.Create(CultureInfo.InvariantCulture, $"the image \"{reference}\" cannot be read: {why}"));
}
