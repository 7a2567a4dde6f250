using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Kip.Drivers;
using Kip.Drivers.Local;
using Kip.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using YamlDotNet.Serialization;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>
/// What moto's instances lack: a machine that boots. Each instance in this network gets a local cell, which does with the instance's user data
/// what cloud-init and systemd do: writes the files, runs <c>kip-cell</c>, which downloads the agent and becomes it. The instance's
/// address is one of the loopback interface; what connects to the agent's port there is passed on to the machine. When moto's instance ends,
/// so does the machine.
/// </summary>
internal sealed class MotoMachines : IAsyncDisposable
{
    private const string Ec2Version = "2016-11-15";
    private const int AgentPort = 6421;

    private readonly MotoServer _moto;
    private readonly KipHome _home;
    private readonly LocalDriver _driver;
    private readonly AgentDownload _download;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<string, Machine> _machines = new();
    private Task _watching = Task.CompletedTask;

    private MotoMachines(MotoServer moto, KipHome home, string vpcId, string subnetId)
    {
        (_moto, _home, VpcId, SubnetId) = (moto, home, vpcId, subnetId);
        _download = new AgentDownload(BuiltKip.Agent);
        _driver = new LocalDriver(
            new LocalDriverOptions
            {
                StateDirectory = Folder,
                ControllerId = "moto",
                Bridge = home.Bridge,
                Cidr = home.Cidr,
                AgentPath = WriteBoot(home.Folder),
                ImageArchives = BuiltKip.ImageArchives,
            },
            TimeProvider.System,
            NullLogger<LocalDriver>.Instance);
    }

    public string VpcId { get; }

    public string SubnetId { get; }

    /// <summary>What went wrong with a machine; it is written by whoever finds it, and read when a test fails.</summary>
    public ConcurrentQueue<string> Problems { get; } = new();

    private string Folder => Path.Combine(_home.Folder, "machines");

    /// <summary>Makes a network in moto and looks after its instances.</summary>
    public static async Task<MotoMachines> StartAsync(MotoServer moto, KipHome home)
    {
        // Another test's network may be the same; two numbers of the address are drawn, and moto gives addresses in their order.
        var network = $"127.{RandomNumberGenerator.GetInt32(16, 250)}.{RandomNumberGenerator.GetInt32(250)}";
        var vpc = Text(await QueryAsync(moto, "CreateVpc", ("CidrBlock", $"{network}.0/24")), "vpcId");
        var subnet = Text(await QueryAsync(moto, "CreateSubnet", ("VpcId", vpc), ("CidrBlock", $"{network}.0/24"), ("AvailabilityZone", "us-east-1a")), "subnetId");
        var machines = new MotoMachines(moto, home, vpc, subnet);
        machines._watching = machines.WatchAsync();
        return machines;
    }

    /// <summary>A provider.yaml with which Kip runs its cells here.</summary>
    public string ProviderConfiguration => $$"""
        cloud:
          aws:
            region: us-east-1
            accessKeyID: AKIATEST
            secretAccessKey: secret
            endpointURL: {{_moto.Address}}
            vpcID: {{VpcId}}
            subnetID: {{SubnetId}}
        cells:
          defaultInstanceType: t3.nano
          bootImageSpec: {owners: amazon, filters: "name=amzn2-ami-*"}
          itzo: {url: "http://{{_home.Gateway}}:{{_download.Port}}/kip-agent", sha256: {{_download.Sha256}}}
        """;

    /// <summary>States of all instances that were ever in the network, by id.</summary>
    public async Task<IReadOnlyDictionary<string, string>> InstancesAsync() =>
        (await DescribeAsync()).ToDictionary(static i => Text(i, "instanceId"), static i => i.Element(i.Name.Namespace + "instanceState")!.Elements().Single(static e => e.Name.LocalName == "name").Value);

    /// <summary>The last words of the machines that are there.</summary>
    public string Consoles() => Directory.Exists(Folder)
        ? string.Join('\n', Directory.GetFiles(Folder, "*.log", SearchOption.AllDirectories).Select(static f => $"--- {f}\n{File.ReadAllText(f)}"))
        : "";

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var machine in _machines.Values)
        {
            machine.Door.Dispose();
        }

        var left = await _driver.ListAsync(CancellationToken.None);
        await _driver.TerminateAsync([.. left.Select(static i => i.Id)], CancellationToken.None);
        _download.Dispose();
        _end.Dispose();
    }

    private static async Task<XElement> QueryAsync(MotoServer moto, string action, params (string Name, string Value)[] parameters) =>
        await moto.QueryAsync("ec2", Ec2Version, action, CancellationToken.None, parameters);

    private static string Text(XElement root, string name) => root.DescendantsAndSelf().First(e => e.Name.LocalName == name).Value;

    private async Task<List<XElement>> DescribeAsync() =>
    [
        .. (await QueryAsync(_moto, "DescribeInstances", ("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", VpcId)))
            .Descendants().Where(static e => e.Name.LocalName == "instancesSet").SelectMany(static e => e.Elements()),
    ];

    private async Task WatchAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                foreach (var instance in await DescribeAsync())
                {
                    var id = Text(instance, "instanceId");
                    var runs = instance.Elements().Single(static e => e.Name.LocalName == "instanceState").Elements().Single(static e => e.Name.LocalName == "name").Value is "pending" or "running";
                    if (runs && !_machines.ContainsKey(id))
                    {
                        _machines[id] = await BootAsync(id, IPAddress.Parse(Text(instance, "privateIpAddress")));
                    }
                    else if (!runs && _machines.TryRemove(id, out var machine))
                    {
                        machine.Door.Dispose();
                        await _driver.TerminateAsync([machine.Id], _end.Token);
                    }
                }
            }
            catch (Exception e) when (e is DriverException or IOException or SocketException or HttpRequestException or InvalidOperationException)
            {
                Problems.Enqueue(e.Message);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, _end.Token);
        }
    }

    private async Task<Machine> BootAsync(string id, IPAddress address)
    {
        var attribute = await QueryAsync(_moto, "DescribeInstanceAttribute", ("InstanceId", id), ("Attribute", "userData"));
        var root = Path.Combine(Folder, "roots", id);
        WriteFiles(root, Convert.FromBase64String(attribute.Descendants().Single(static e => e.Name.LocalName == "userData").Elements().Single().Value));
        var type = LocalDriver.CatalogOfThisMachine().Types.Where(static t => t.MemoryBytes >= 512L << 20).MinBy(static t => t.MemoryBytes)!;
        var machine = await _driver.LaunchAsync(
            new LaunchRequest
            {
                LaunchToken = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(id)))[..32],
                InstanceType = type.Name,
                Zone = type.Offerings[0].Zone,
                ImageId = "local",
                DiskBytes = 1L << 30,
                UserData = root,
                Tags = new Dictionary<string, string> { [InstanceTags.ControllerId] = "moto" },
            },
            _end.Token);
        // moto gives an instance no second address for its pod, so that the machine's image has to bring the pod's network.
        await File.WriteAllTextAsync(Path.Combine(root, "network"), $$$"""
            {"cniVersion":"0.4.0","name":"image","plugins":[{"type":"ptp","ipMasq":false,"ipam":{"type":"static",
            "addresses":[{"address":"{{{machine.PodAddress}}}/0","gateway":"169.254.1.1"}],"routes":[{"dst":"0.0.0.0/0","gw":"0.0.0.0"}]}}]}
            """);
        File.Move(Path.Combine(root, "network"), Path.Combine(root, "10-image.conflist"));
        return new Machine(machine.Id, new Door(new IPEndPoint(address, AgentPort), new IPEndPoint(IPAddress.Parse(machine.Address!), AgentPort)));
    }

    /// <summary>What cloud-init's write_files does, below a folder, since this machine's own file system is the cell's too.</summary>
    private static void WriteFiles(string root, byte[] userData)
    {
        using var gzip = new GZipStream(new MemoryStream(userData), CompressionMode.Decompress);
        using var reader = new StreamReader(gzip);
        var files = (IReadOnlyList<object>)new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(reader)["write_files"];
        foreach (var file in files.Cast<Dictionary<object, object>>())
        {
            var path = Path.Join(root, (string)file["path"]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, ((string)file["content"]).Replace("/etc/kip/", $"{root}/etc/kip/", StringComparison.Ordinal));
            File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(file.TryGetValue("permissions", out var mode) ? (string)mode : "0644", 8));
        }
    }

    /// <summary>
    /// What systemd does with kip-agent.service. A local cell starts it as its agent, with the arguments that its containerd needs; the first
    /// two name the user data, which here is the folder with the files.
    /// </summary>
    private static string WriteBoot(string folder)
    {
        var path = Path.Combine(folder, "boot");
        File.WriteAllText(path, """
            #!/bin/sh
            root=$(cat "$2")
            shift 2
            set -a
            . "$root/etc/kip/agent.env"
            KIP_AGENT=$root/usr/local/bin/kip-agent
            set +a
            sed -i "s|--user-data $root/etc/kip/cell.json\$|& $*|" "$root/usr/local/lib/kip/kip-cell"
            until [ -e "$root/10-image.conflist" ]; do sleep 0.02; done
            cp "$root/10-image.conflist" /run/kip/net.d/
            exec "$root/usr/local/lib/kip/kip-cell"
            """);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private sealed record Machine(string Id, Door Door);

    /// <summary>Passes connections on from one address to another.</summary>
    private sealed class Door : IDisposable
    {
        private readonly TcpListener _listener;
        private readonly IPEndPoint _to;

        public Door(IPEndPoint from, IPEndPoint to)
        {
            _to = to;
            _listener = new TcpListener(from);
            _listener.Start();
            _ = AcceptAsync();
        }

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    _ = PassAsync(await _listener.AcceptTcpClientAsync());
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is closed.
            }
        }

        private async Task PassAsync(TcpClient inside)
        {
            using var outside = new TcpClient();
            using (inside)
            {
                try
                {
                    await outside.ConnectAsync(_to);
                    await Task.WhenAny(
                        inside.GetStream().CopyToAsync(outside.GetStream()),
                        outside.GetStream().CopyToAsync(inside.GetStream()));
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    // The machine does not listen yet, or any more: whoever connected sees the end of the connection.
                }
            }
        }
    }

    /// <summary>A web server with the agent, as a bucket would be.</summary>
    private sealed class AgentDownload : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Any, 0);
        private readonly string _file;

        public AgentDownload(string file)
        {
            _file = file;
            using (var agent = File.OpenRead(file))
            {
                Sha256 = Convert.ToHexStringLower(SHA256.HashData(agent));
            }

            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _ = ServeAsync();
        }

        public int Port { get; }

        public string Sha256 { get; }

        public void Dispose() => _listener.Dispose();

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    _ = AnswerAsync(await _listener.AcceptTcpClientAsync());
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It is closed.
            }
        }

        private async Task AnswerAsync(TcpClient client)
        {
            using (client)
            {
                try
                {
                    await using var stream = client.GetStream();
                    using var reader = new StreamReader(stream, leaveOpen: true);
                    while (await reader.ReadLineAsync() is { Length: > 0 })
                    {
                        // The request has nothing that matters.
                    }

                    await using var agent = File.OpenRead(_file);
                    await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {agent.Length}\r\nConnection: close\r\n\r\n"));
                    await agent.CopyToAsync(stream);
                }
                catch (IOException)
                {
                    // Whoever asked has gone.
                }
            }
        }
    }
}
