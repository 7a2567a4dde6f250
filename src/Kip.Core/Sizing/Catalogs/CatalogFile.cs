using System.Globalization;
using System.IO.Compression;
using System.Text;
using Kip.Drivers;
using Kip.Kubernetes;
using Kip.Sizing.Catalogs;

namespace Kip.Sizing;

/// <summary>
/// A file of instance types and prices of one cloud, in Kip's own format (docs/sizing.md): text, one table of types and for each region
/// tables of what is offered there, all of it or none gzipped. Immutable; regions are read when they are asked for.
/// </summary>
public sealed class CatalogFile
{
    private const int MaxBytes = 64 << 20;
    private const long MiB = 1L << 20;

    private static readonly string[] TypeColumns =
    [
        "name", "architecture", "milli_cpu", "baseline_milli_cpu", "burst_usd", "mib", "usable_mib", "local_gib", "gpu_resource", "gpu_model",
        "gpus", "gpu_mib", "devices", "network_mbps", "addresses", "traits",
    ];

    private static readonly string[] OfferingColumns = ["type", "zones", "on_demand_usd", "on_demand_basis", "spot_usd", "spot_basis"];

    private static readonly string[] CustomColumns =
    [
        "family", "prefix", "architecture", "vcpus", "min_mib_per_vcpu", "max_mib_per_vcpu", "min_mib", "max_mib", "step_mib", "shared_milli_cpu",
        "zones", "on_demand_vcpu_usd", "on_demand_gib_usd", "spot_vcpu_usd", "spot_gib_usd", "basis",
    ];

    private static readonly string[] GpuColumns =
        ["resource", "model", "count", "mib", "family", "max_vcpus", "max_gib", "zones", "on_demand_usd", "spot_usd", "basis"];

    private static readonly Dictionary<string, int> NoDevices = [];

    private readonly string _source;
    private readonly byte[] _text;
    private readonly string _zoneFormat;
    private readonly Dictionary<(string Kind, string Region), Section> _sections = [];

    private CatalogFile(byte[] text, string source)
    {
        _text = text;
        _source = source;
        var position = 0;
        Header(ref position, 1, "kip-catalog", "1");
        Cloud = Header(ref position, 2, "cloud", null);
        _zoneFormat = Header(ref position, 3, "zones", null);
        FindSections(position);
        Regions = [.. _sections.Keys.Where(static key => key.Kind == "offerings").Select(static key => key.Region).Order(StringComparer.Ordinal)];
    }

    /// <summary>Short name of the cloud, as in <see cref="DriverDescription.Name"/>.</summary>
    public string Cloud { get; }

    /// <summary>The regions, in alphabetical order.</summary>
    public IReadOnlyList<string> Regions { get; }

    /// <summary>Reads a file, of at most 64 MiB of text.</summary>
    /// <param name="stream">The file; read to its end.</param>
    /// <param name="source">What it is called, for messages.</param>
    /// <exception cref="CatalogException">It is not a catalog, or not all of one.</exception>
    public static CatalogFile Read(Stream stream, string source)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var bytes = ReadAll(stream, source);
        if (bytes is [0x1f, 0x8b, ..])
        {
            try
            {
                using var packed = new MemoryStream(bytes);
                using var unpacked = new GZipStream(packed, CompressionMode.Decompress);
                bytes = ReadAll(unpacked, source);
            }
            catch (InvalidDataException e)
            {
                throw new CatalogException($"{source}: is damaged: {e.Message}", e);
            }
        }

        return new CatalogFile(bytes, source);
    }

    /// <summary>What the cloud offers in one region.</summary>
    /// <exception cref="CatalogException">There is no such region (the message names the nearest), or a row is wrong.</exception>
    public InstanceCatalog Load(string region)
    {
        ArgumentNullException.ThrowIfNull(region);
        if (!_sections.ContainsKey(("offerings", region)))
        {
            var near = Spelling.Closest(region, Regions);
            throw new CatalogException($"there is no region {region} of {Cloud}{(near is null ? $"; there are {string.Join(", ", Regions)}" : $" (did you mean {near}?)")}");
        }

        var zones = new Zones(region, _zoneFormat);
        return new InstanceCatalog(region, ReadTypes(region, zones), ReadCustomFamilies(region, zones), ReadGpus(region, zones));
    }

    private static byte[] ReadAll(Stream stream, string source)
    {
        var buffer = new MemoryStream(stream.CanSeek ? (int)Math.Min(stream.Length, MaxBytes) : 1 << 20);
        var chunk = new byte[1 << 16];
        int read;
        while ((read = stream.Read(chunk)) > 0)
        {
            if (buffer.Length + read > MaxBytes)
            {
                throw new CatalogException($"{source}: is larger than {MaxBytes >> 20} MiB");
            }

            buffer.Write(chunk, 0, read);
        }

        return buffer.Length == buffer.Capacity ? buffer.GetBuffer() : buffer.ToArray();
    }

    private string Header(ref int position, int line, string name, string? value)
    {
        var rest = _text.AsSpan(position);
        var length = rest.IndexOf((byte)'\n');
        var text = Encoding.UTF8.GetString(length < 0 ? rest[..Math.Min(rest.Length, 80)] : rest[..length]).TrimEnd('\r');
        if (length < 0 || !text.StartsWith(name + " ", StringComparison.Ordinal) || (value is not null && text != $"{name} {value}"))
        {
            throw new CatalogException($"{_source}: line {line}: must be '{name} {value ?? "…"}', not '{(text.Length > 40 ? text[..40] + "…" : text)}'");
        }

        position += length + 1;
        return text[(name.Length + 1)..];
    }

    private void FindSections(int position)
    {
        var line = 4;
        (string Kind, string Region)? open = null;
        int begin = 0, beginLine = 0;
        var ended = false;
        while (position < _text.Length)
        {
            var rest = _text.AsSpan(position);
            if (rest[0] == (byte)'[')
            {
                var length = rest.IndexOf((byte)'\n');
                var title = Encoding.UTF8.GetString(length < 0 ? rest : rest[..length]).TrimEnd('\r');
                Close(position);
                if (title == "[end]")
                {
                    ended = true;
                    break;
                }

                open = Title(title, line);
                begin = length < 0 ? _text.Length : position + length + 1;
                beginLine = line + 1;
            }

            // To the line before the next title; lines are counted only where something is wrong.
            var next = rest.IndexOf("\n["u8);
            var skipped = next < 0 ? rest : rest[..(next + 1)];
            line += skipped.Count((byte)'\n');
            position += skipped.Length;
        }

        if (!ended)
        {
            throw new CatalogException($"{_source}: line {line}: is not complete: the line [end] is missing");
        }

        if (!_sections.ContainsKey(("types", "")))
        {
            throw new CatalogException($"{_source}: the table [types] is missing");
        }

        void Close(int end)
        {
            if (open is { } key && !_sections.TryAdd(key, new Section(begin, end, beginLine)))
            {
                throw new CatalogException($"{_source}: line {beginLine - 1}: the table [{$"{key.Kind} {key.Region}".TrimEnd()}] is there twice");
            }
        }
    }

    private (string Kind, string Region) Title(string title, int line) => title.Trim('[', ']').Split(' ') switch
    {
        ["types"] when title[^1] == ']' => ("types", ""),
        [("offerings" or "custom" or "gpus") and var kind, { Length: > 0 } region] when title[^1] == ']' => (kind, region),
        _ => throw new CatalogException($"{_source}: line {line}: '{title}' is not the title of a table: [types], [offerings region], [custom region], [gpus region] or [end]"),
    };

    private bool TryTable(string kind, string region, string[] columns, out CatalogTable table)
    {
        if (!_sections.TryGetValue((kind, region), out var section))
        {
            table = default;
            return false;
        }

        table = new CatalogTable(_source, _text.AsSpan(section.Begin, section.End - section.Begin), section.Line, columns);
        return true;
    }

    private List<InstanceType> ReadTypes(string region, Zones zones)
    {
        var offered = ReadOfferings(region, zones);
        var types = new List<InstanceType>(offered.Count);
        TryTable("types", "", TypeColumns, out var table);
        while (table.Next())
        {
            if (offered.Remove(table.RequiredText(0), out var offerings))
            {
                types.Add(ReadType(table, offerings));
            }
        }

        return offered.Count == 0 ? types : throw new CatalogException($"{_source}: [offerings {region}] has {offered.Keys.First()}, which is not in [types]");
    }

    private static InstanceType ReadType(CatalogTable table, IReadOnlyList<Offering> offerings) => new()
    {
        Name = table.RequiredText(0),
        Architecture = table.Text(1) is ("amd64" or "arm64") and var architecture ? architecture : throw table.Wrong(1, $"'{table.Text(1)}' is neither amd64 nor arm64"),
        MilliCpu = table.RequiredNumber(2),
        BaselineMilliCpu = table.Number(3),
        BurstPricePerCpuHour = table.Amount(4),
        MemoryBytes = table.RequiredNumber(5) * MiB,
        UsableMemoryBytes = table.Number(6) * MiB,
        LocalDiskBytes = (long)((table.Amount(7) ?? 0) * 1024) * MiB,
        Gpus = table.Bytes(8).IsEmpty ? null : new GpuDevices(table.Text(8), table.RequiredText(9), (int)table.RequiredNumber(10), (table.Number(11) ?? 0) * MiB),
        Devices = ReadDevices(table),
        NetworkMegabits = (int?)table.Number(13),
        Addresses = (int?)table.Number(14),
        Traits = ReadTraits(table),
        Offerings = offerings,
    };

    private static Dictionary<string, int> ReadDevices(CatalogTable table)
    {
        if (table.Bytes(12).IsEmpty)
        {
            return NoDevices;
        }

        var devices = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var device in table.Text(12).Split(' '))
        {
            var (name, count) = device.Split('=') is [{ Length: > 0 } left, var right] && int.TryParse(right, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? (left, number)
                : throw table.Wrong(12, $"'{device}' is not a resource and a count, such as aws.amazon.com/neuron=2");
            devices[name] = count;
        }

        return devices;
    }

    private static InstanceTypeTraits ReadTraits(CatalogTable table)
    {
        var traits = InstanceTypeTraits.None;
        if (!table.Bytes(15).IsEmpty)
        {
            foreach (var trait in table.Text(15).Split(' '))
            {
                traits |= trait switch
                {
                    "previous-generation" => InstanceTypeTraits.PreviousGeneration,
                    "bare-metal" => InstanceTypeTraits.BareMetal,
                    "dedicated-host" => InstanceTypeTraits.DedicatedHostOnly,
                    _ => throw table.Wrong(15, $"'{trait}' is none of previous-generation, bare-metal and dedicated-host"),
                };
            }
        }

        return traits;
    }

    private Dictionary<string, List<Offering>> ReadOfferings(string region, Zones zones)
    {
        var offered = new Dictionary<string, List<Offering>>(StringComparer.Ordinal);
        TryTable("offerings", region, OfferingColumns, out var table);
        while (table.Next())
        {
            var offerings = new List<Offering>();
            var places = zones.Read(table.Bytes(1));
            Add(offerings, places, table.Price(2), table.Basis(3), CapacityType.OnDemand);
            Add(offerings, places, table.Price(4), table.Basis(5), CapacityType.Spot);
            if (!offered.TryAdd(table.RequiredText(0), offerings))
            {
                throw table.Wrong(0, $"{table.Text(0)} is there twice");
            }
        }

        return offered;

        static void Add(List<Offering> offerings, string[] places, (bool IsOffered, decimal? Price) price, PriceBasis basis, CapacityType capacityType)
        {
            if (!price.IsOffered)
            {
                return;
            }

            foreach (var zone in places)
            {
                offerings.Add(new Offering(zone, capacityType, price.Price) { Basis = basis });
            }
        }
    }

    private List<CustomMachineFamily> ReadCustomFamilies(string region, Zones zones)
    {
        var families = new List<CustomMachineFamily>();
        if (!TryTable("custom", region, CustomColumns, out var table))
        {
            return families;
        }

        while (table.Next())
        {
            families.Add(new CustomMachineFamily
            {
                Family = table.RequiredText(0),
                Prefix = table.RequiredText(1),
                Architecture = table.RequiredText(2),
                VCpus = ReadCounts(table),
                MinMebibytesPerVCpu = (int)(table.Number(4) ?? 0),
                MaxMebibytesPerVCpu = (int)(table.Number(5) ?? 0),
                MinMebibytes = (int)(table.Number(6) ?? 0),
                MaxMebibytes = (int)(table.Number(7) ?? 0),
                StepMebibytes = (int)table.RequiredNumber(8),
                SharedMilliCpu = (int?)table.Number(9),
                Zones = zones.Read(table.Bytes(10)),
                Prices = [.. ReadPrice(table, CapacityType.OnDemand, 11), .. ReadPrice(table, CapacityType.Spot, 13)],
            });
        }

        return families;
    }

    private static CustomMachinePrice[] ReadPrice(CatalogTable table, CapacityType capacityType, int column) =>
        table.Amount(column) is { } perVCpu && table.Amount(column + 1) is { } perGibibyte
            ? [new CustomMachinePrice(capacityType, perVCpu, perGibibyte) { Basis = table.Basis(15) }]
            : [];

    // For example "1 2-96/2": 1, and 2 to 96 in steps of 2.
    private static List<int> ReadCounts(CatalogTable table)
    {
        var counts = new List<int>();
        foreach (var part in table.RequiredText(3).Split(' '))
        {
            var numbers = part.Split('-', '/').Select(static text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0).ToArray();
            switch (numbers)
            {
                case [> 0 and var one]:
                    counts.Add(one);
                    break;
                case [> 0 and var first, > 0 and var last, > 0 and var step] when last - first < 10_000:
                    for (var count = first; count <= last; count += step)
                    {
                        counts.Add(count);
                    }

                    break;
                default:
                    throw table.Wrong(3, $"'{part}' is neither a count nor a range with its step, such as 2-96/2");
            }
        }

        for (var i = 1; i < counts.Count; i++)
        {
            if (counts[i] <= counts[i - 1])
            {
                throw table.Wrong(3, "counts must ascend");
            }
        }

        return counts;
    }

    private List<GpuAttachment> ReadGpus(string region, Zones zones)
    {
        var attachments = new List<GpuAttachment>();
        if (!TryTable("gpus", region, GpuColumns, out var table))
        {
            return attachments;
        }

        while (table.Next())
        {
            attachments.Add(new GpuAttachment
            {
                Gpus = new GpuDevices(table.RequiredText(0), table.RequiredText(1), (int)table.RequiredNumber(2), table.RequiredNumber(3) * MiB),
                Family = table.RequiredText(4),
                MaxVCpus = (int)table.RequiredNumber(5),
                MaxMemoryBytes = table.RequiredNumber(6) << 30,
                Zones = zones.Read(table.Bytes(7)),
                OnDemandPerHour = table.Price(8).Price,
                SpotPerHour = table.Price(9).Price,
                Basis = table.Basis(10),
            });
        }

        return attachments;
    }

    private readonly record struct Section(int Begin, int End, int Line);

    /// <summary>The names of zones; most rows have the same few.</summary>
    private sealed class Zones(string region, string format)
    {
        private static readonly string[] Unknown = [""];
        private readonly Dictionary<string, string[]> _read = new(StringComparer.Ordinal);

        public string[] Read(ReadOnlySpan<byte> text)
        {
            if (text.IsEmpty)
            {
                return Unknown;
            }

            Span<char> key = text.Length <= 256 ? stackalloc char[256] : new char[text.Length];
            var length = Encoding.UTF8.GetChars(text, key);
            var lookup = _read.GetAlternateLookup<ReadOnlySpan<char>>();
            if (!lookup.TryGetValue(key[..length], out var zones))
            {
                zones = [.. key[..length].ToString().Split(' ').Select(zone => format.Replace("{region}", region, StringComparison.Ordinal).Replace("{zone}", zone, StringComparison.Ordinal))];
                lookup[key[..length]] = zones;
            }

            return zones;
        }
    }
}
