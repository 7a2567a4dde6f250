using Kip.Agent.Runtime.Cri;
using Kip.Kubernetes.Objects;

namespace Kip.Agent.Pods;

/// <summary>The resolver configuration of the pod.</summary>
internal static class DnsSettings
{
    /// <summary>
    /// Without cluster DNS on the cell every policy but None begins with the cell's own resolver; what <c>dnsConfig</c> says comes on top.
    /// </summary>
    public static DNSConfig ToCri(PodSpec spec, string resolvConf)
    {
        var dns = spec.DnsPolicy == "None" ? new DNSConfig() : ReadResolvConf(resolvConf);
        Merge(dns.Servers, spec.DnsConfig?.Nameservers);
        Merge(dns.Searches, spec.DnsConfig?.Searches);
        foreach (var option in spec.DnsConfig?.Options ?? [])
        {
            var name = option.Name ?? "";
            for (var i = dns.Options.Count - 1; i >= 0; i--)
            {
                if (dns.Options[i] == name || dns.Options[i].StartsWith(name + ":", StringComparison.Ordinal))
                {
                    dns.Options.RemoveAt(i);
                }
            }

            dns.Options.Add(option.Value is { Length: > 0 } value ? $"{name}:{value}" : name);
        }

        return dns;
    }

    /// <summary>Format: resolv.conf(5).</summary>
    private static DNSConfig ReadResolvConf(string path)
    {
        var dns = new DNSConfig();
        if (!File.Exists(path))
        {
            return dns;
        }

        foreach (var line in File.ReadLines(path))
        {
            var words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            switch (words is [var first, ..] ? first : "")
            {
                case "nameserver" when words.Length > 1:
                    dns.Servers.Add(words[1]);
                    break;
                case "search" or "domain":
                    dns.Searches.Clear();
                    dns.Searches.AddRange(words.Skip(1));
                    break;
                case "options":
                    dns.Options.AddRange(words.Skip(1));
                    break;
            }
        }

        return dns;
    }

    private static void Merge(Google.Protobuf.Collections.RepeatedField<string> into, IEnumerable<string>? values)
    {
        foreach (var value in values ?? [])
        {
            if (!into.Contains(value))
            {
                into.Add(value);
            }
        }
    }
}
