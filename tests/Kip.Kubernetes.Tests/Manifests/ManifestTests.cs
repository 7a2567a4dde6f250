using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using FsCheck.Fluent;
using Xunit.Abstractions;

namespace Kip.Kubernetes.Tests;

public sealed class ManifestTests(ITestOutputHelper output)
{
    private const string Head = "apiVersion: v1\nkind: Pod\n";

    private const string Rich = """
        # a pod that uses much of the language
        apiVersion: v1
        kind: Pod
        metadata:
          name: web
          labels: {app: web, "on": "yes", 12: "3"}
          annotations:
            when: 2001-01-01T10:00:00Z
            folded: >-
              one
              two
            literal: |
              a: b
              # kept
        spec:
          terminationGracePeriodSeconds: 0o17
          shareProcessNamespace: on
          initContainers:
          - &base
            name: init
            image: busybox:1.36
            resources: &resources
              limits: {cpu: 0.5, memory: 1.5Gi, nvidia.com/gpu: 1, ephemeral-storage: 1e9}
            env:
            - {name: A, value: "1"}
            - name: B
              valueFrom: {fieldRef: {fieldPath: status.podIP}}
          containers:
          - <<: *base
            name: main
            command: ["sh", "-c", 'echo "it''s"; exit 0']
            ports: [{containerPort: 1_000, protocol: TCP}, {containerPort: 0x1F}]
            livenessProbe: {httpGet: {path: /, port: web}, periodSeconds: 3}
            readinessProbe: {tcpSocket: {port: 8080}}
          - name: "quoted \u00e9 \x41"
            image: "i"
            resources: *resources
            securityContext: {runAsUser: 1000, capabilities: {drop: [ALL]}, runAsNonRoot: true}
          volumes:
          - name: v
            configMap: {name: q, defaultMode: 0644, items: [{key: k, path: p}]}
          - name: e
            emptyDir: {sizeLimit: 64Mi, medium: Memory}
          - name: p
            projected: {sources: [{serviceAccountToken: {path: t, expirationSeconds: 3600}}]}
          tolerations:
          - {operator: Exists, effect: NoSchedule}
        """;

    [Fact]
    public void ReadPod_RichManifest_HasEveryValueAndNoWarning()
    {
        var (pod, warnings) = Manifest.ReadPod(Rich, "pod.yaml");

        Assert.Empty(warnings);
        Assert.Equal("web", pod.Metadata.Name);
        Assert.Equal("yes", pod.Metadata.Labels!["on"]);
        Assert.Equal("3", pod.Metadata.Labels["12"]);
        Assert.Equal("one two", pod.Metadata.Annotations!["folded"]);
        Assert.Equal("a: b\n# kept\n", pod.Metadata.Annotations["literal"]);
        Assert.Equal(15, pod.Spec.TerminationGracePeriodSeconds);
        Assert.True(pod.Spec.ShareProcessNamespace);
        var main = pod.Spec.Containers[0];
        Assert.Equal("main", main.Name);
        Assert.Equal("busybox:1.36", main.Image);
        Assert.Equal("500m", main.Resources!.Limits!["cpu"].ToString());
        Assert.Equal("1536Mi", main.Resources.Limits["memory"].ToString());
        Assert.Equal("echo \"it's\"; exit 0", main.Command![2]);
        Assert.Equal([1000, 31], main.Ports!.Select(port => port.Port));
        Assert.Equal("web", main.LivenessProbe!.HttpGet!.Port.Name);
        Assert.Equal(8080, main.ReadinessProbe!.TcpSocket!.Port.Number);
        Assert.Equal("quoted é A", pod.Spec.Containers[1].Name);
        Assert.Equal(420, pod.Spec.Volumes![0].ConfigMap!.DefaultMode);
    }

    /// <summary>Kubernetes' own code must read the same pod from the same text.</summary>
    [KubectlFact]
    public async Task ReadPod_RichManifest_IsWhatKubectlReads()
    {
        var (theirs, error) = await Kubectl.ReadPodAsync(Rich);
        Assert.Equal("", error);

        var mine = JsonNode.Parse(KubernetesJson.SerializeToUtf8(Manifest.ReadPod(Rich, "pod.yaml").Pod));

        Assert.Equal(Sorted(theirs)!.ToJsonString(), Sorted(mine)!.ToJsonString());
    }

    /// <summary>Plain scalars must get the types that kubectl gives them.</summary>
    [KubectlFact]
    public async Task Read_PlainScalars_HaveTheTypesKubectlGives()
    {
        string[] scalars =
        [
            "true", "True", "TRUE", "yes", "on", "y", "Y", "n", "no", "Off", "false", "tRue", "0", "-0", "00", "08", "09.5", "0777", "-0777",
            "0o777", "0x1F", "0XfF", "-0x10", "0b101", "0B11", "+12", "1_000", "_1", "1__0", "1.", ".5", "-.5", "1.5e3", "1e3", "1E-7", "12e",
            "1e21", "123456789012345678", "9223372036854775808", "18446744073709551616", "340282366920938463463374607431768211456",
            "0.1", "1e-10", "100000000000000000000000.0", "2001-01-01", "2001-1-1", "12:30:45", "1.2.3", "1,000", "~x", "nullx", "+", ".",
            "..", "1-2", "0x", "0b2", "0o8", "+.5", "1e+3", "0.0", "-1.0", "=",
        ];
        var manifest = new StringBuilder("apiVersion: kip.example/v1\nkind: Thing\nmetadata: {name: x}\nspec:\n");
        for (var i = 0; i < scalars.Length; i++)
        {
            manifest.Append(System.Globalization.CultureInfo.InvariantCulture, $"  s{i}: {scalars[i]}\n");
        }

        var (theirs, error) = await Kubectl.ReadAnyAsync(manifest.ToString());
        Assert.Equal("", error);
        var mine = Assert.Single(Manifest.Read(manifest.ToString(), "x.yaml")).Json.GetProperty("spec");

        for (var i = 0; i < scalars.Length; i++)
        {
            var expected = theirs!["spec"]![$"s{i}"]!;
            var actual = JsonNode.Parse(mine.GetProperty($"s{i}").GetRawText())!;
            Assert.Equal($"{scalars[i]} is {expected.GetValueKind()}", $"{scalars[i]} is {actual.GetValueKind()}");
            Assert.True(
                expected.GetValueKind() == System.Text.Json.JsonValueKind.Number
                    ? (double)expected == (double)actual
                    : JsonNode.DeepEquals(expected, actual),
                $"{scalars[i]}: kubectl reads {expected.ToJsonString()}, Kip reads {actual.ToJsonString()}");
        }
    }

    [Theory]
    [InlineData("", "f:1:1: the manifest is empty")]
    [InlineData("# nothing\n---\n---\n", "f:1:1: the manifest is empty")]
    [InlineData("hello", "f:1:1: expected a Kubernetes object, found the string \"hello\"")]
    [InlineData("- a\n- b\n", "f:1:1: expected a Kubernetes object, found a list")]
    [InlineData("kind: Pod\n", "f:1:1: there is no apiVersion")]
    [InlineData("apiVersion: v1\nmetadata: {}\n", "f:1:1: there is no kind")]
    [InlineData("apiVersion: 1\nkind: Pod\n", "f:1:13: apiVersion: expected a string, found the number 1")]
    [InlineData("apiVersion: apps/v1\nkind: Deployment\n", "f:2:7: kind is Deployment; give a Pod")]
    [InlineData("apiVersion: v2\nkind: Pod\n", "f:1:13: apiVersion is v2; give v1")]
    [InlineData(Head + "---\n" + Head, "f:4:1: there are 2 documents, a second one starts here; give one Pod")]
    [InlineData(Head + "spec: 3\n", "f:3:7: spec: expected a mapping, found the number 3")]
    [InlineData(Head + "spec:\n  containers:\n    name: x\n", "f:5:5: spec.containers: expected a list, found a mapping")]
    [InlineData(Head + "spec:\n  containers:\n  - name: x\n    image: {a: b}\n", "f:6:12: spec.containers[0].image: expected a string, found a mapping")]
    [InlineData(Head + "spec:\n  containers:\n  - name: x\n    image: [a]\n", "f:6:12: spec.containers[0].image: expected a string, found a list")]
    [InlineData(Head + "spec:\n  containers:\n  -\n", "f:5:4: spec.containers[0]: expected a mapping, found nothing")]
    [InlineData(
        Head + "spec:\n  containers:\n  - env:\n    - name: P\n      value: 8080\n",
        "f:7:14: spec.containers[0].env[0].value: expected a string, found the number 8080; quote it (\"8080\")")]
    [InlineData(Head + "metadata:\n  labels:\n    a: yes\n", "f:5:8: metadata.labels.a: expected a string, found the boolean yes; quote it (\"yes\")")]
    [InlineData(Head + "metadata:\n  labels:\n    a:\n", "f:5:7: metadata.labels.a: expected a string, found nothing; write \"\" for an empty one")]
    [InlineData(Head + "spec:\n  hostNetwork: \"true\"\n", "f:4:16: spec.hostNetwork: expected true or false, found the string \"true\"; write it without quotes")]
    [InlineData(Head + "spec:\n  priority: \"1\"\n", "f:4:13: spec.priority: expected a whole number, found the string \"1\"; write it without quotes")]
    [InlineData(Head + "spec:\n  priority: 1.5\n", "f:4:13: spec.priority: expected a whole number, found the number 1.5")]
    [InlineData(Head + "spec:\n  priority: 3000000000\n", "f:4:13: spec.priority: 3000000000 is out of range")]
    [InlineData(
        Head + "spec:\n  overhead:\n    cpu: 12x\n", "f:5:10: spec.overhead.cpu: quantity '12x': unknown suffix 'x'")]
    [InlineData(Head + "spec:\n  overhead:\n    cpu: [1]\n", "f:5:10: spec.overhead.cpu: expected a quantity such as 500m, found a list")]
    [InlineData(
        Head + "metadata: {creationTimestamp: today}\n",
        "f:3:31: metadata.creationTimestamp: expected a time such as 2026-11-22T10:00:00Z, found the string \"today\"")]
    [InlineData(Head + "kind: Pod\n", "f:3:1: key \"kind\" is given twice, first in line 2")]
    [InlineData(Head + "spec: {a: 1, a: 2}\n", "f:3:14: key \"a\" is given twice, first in line 3")]
    [InlineData(Head + "spec: *x\n", "f:3:7: alias *x refers to no anchor before it")]
    [InlineData(Head + "spec: &x {a: *x}\n", "f:3:14: alias *x refers to no anchor before it")]
    [InlineData(Head + "spec: {<<: 3}\n", "f:3:12: the merge key << takes a mapping or a list of mappings, found the number 3")]
    [InlineData(Head + "spec: {[a]: 3}\n", "f:3:8: a key must be a string, found a list")]
    [InlineData(Head + "spec: {~: 3}\n", "f:3:8: a key must be a string, found nothing")]
    [InlineData(Head + "spec: !!binary aGVsbG8=\n", "f:3:7: tag tag:yaml.org,2002:binary is not supported")]
    [InlineData(Head + "spec: !!int x\n", "f:3:7: 'x' does not fit its tag tag:yaml.org,2002:int")]
    [InlineData(Head + "spec: {priority: .inf}\n", "f:3:18: .inf is no number that JSON can hold")]
    [InlineData(Head + "spec:\n\tcontainers: []\n", "f:4:1: a tab is used for indentation; use spaces")]
    public void ReadPod_BadManifest_SaysWhereAndWhat(string text, string message) =>
        Assert.Equal(message, Assert.Throws<ManifestException>(() => Manifest.ReadPod(text, "f")).Message);

    [Theory]
    [InlineData("a: [1, 2")]
    [InlineData("a: b: c")]
    [InlineData("{\"apiVersion\": \"v1\", ")]
    [InlineData("a: 'x")]
    [InlineData("\"a")]
    [InlineData("%YAML 9.9\n---\na: b")]
    [InlineData("a: @b")]
    public void ReadPod_NotYaml_SaysSoWithAPlace(string text)
    {
        var error = Assert.Throws<ManifestException>(() => Manifest.ReadPod(text, "dir/f.yaml"));
        Assert.StartsWith($"dir/f.yaml:{error.Line}:{error.Column}: not YAML: ", error.Message, StringComparison.Ordinal);
        Assert.True(error is { Line: > 0, Column: > 0 });
    }

    [Fact]
    public void ReadPod_UnknownFields_AreNamedAndKept()
    {
        const string text = Head + "spec:\n  nodeSelecter: {a: b}\n  containers:\n  - name: c\n    imge: i\n    IMAGE: j\n    frobnicate: 1\n";

        var (pod, warnings) = Manifest.ReadPod(text, "pod.yaml");

        Assert.Equal(
        [
            "pod.yaml:4: unknown field \"spec.nodeSelecter\" (did you mean \"nodeSelector\"?)",
            "pod.yaml:7: unknown field \"spec.containers[0].imge\" (did you mean \"image\"?)",
            "pod.yaml:8: unknown field \"spec.containers[0].IMAGE\" (did you mean \"image\"?)",
            "pod.yaml:9: unknown field \"spec.containers[0].frobnicate\"",
        ], warnings);
        Assert.Equal("i", pod.Spec.Containers[0].Unknown!["imge"].GetString());
    }

    [Theory]
    [InlineData("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"annotations\":{\"a\":\"\\/ \\u00e9 \\ud83d\\ude00 \\t\"}}}")]
    [InlineData("{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"x\",\n\t\t\"annotations\": {\"a\": \"/ é 😀 \\t\"}}\n}\n")]
    [InlineData("\uFEFF{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"x\",\"annotations\":{\"a\":\"/ é 😀 \\t\"}}}")]
    public void ReadPod_Json_IsRead(string json)
    {
        var (pod, warnings) = Manifest.ReadPod(json, "pod.json");
        Assert.Empty(warnings);
        Assert.Equal("x", pod.Metadata.Name);
        Assert.Equal("/ é 😀 \t", pod.Metadata.Annotations!["a"]);
    }

    [Fact]
    public void Read_SeveralDocuments_GivesKindLineAndContentOfEach()
    {
        var documents = Manifest.Read("---\napiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n---\n# gap\n---\napiVersion: v1\nkind: Pod\n...\n", "f");
        Assert.Equal([("v1", "ConfigMap", 2), ("v1", "Pod", 8)], documents.Select(one => (one.ApiVersion, one.Kind, one.Line)));
        Assert.Equal("b", documents[0].Json.GetProperty("data").GetProperty("a").GetString());
    }

    [Fact]
    public void Read_MergeKeys_OwnKeysWinThenEarlierSources()
    {
        var spec = Assert.Single(Manifest.Read(
            Head + "x: [&a {k: 1, l: 1}, &b {k: 2, m: 2}]\nspec: {l: 0, <<: [*a, *b]}\n", "f")).Json.GetProperty("spec");
        Assert.Equal("""{"l":0,"k":1,"m":2}""", spec.GetRawText());
    }

    [Fact]
    public void Read_AliasBomb_IsRefusedAtOnce()
    {
        var bomb = new StringBuilder(Head + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (var i = 1; i < 30; i++)
        {
            bomb.Append(System.Globalization.CultureInfo.InvariantCulture, $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        }

        var watch = Stopwatch.StartNew();
        var error = Assert.Throws<ManifestException>(() => Manifest.Read(bomb.ToString(), "f"));

        Assert.Contains("once aliases are expanded", error.Message, StringComparison.Ordinal);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{a: ", "}")]
    [InlineData("- ", "")]
    public void Read_DeepNesting_IsRefused(string open, string close)
    {
        var deep = string.Concat(Enumerable.Repeat(open, 2000)) + "x" + string.Concat(Enumerable.Repeat(close, 2000));
        Assert.Contains("nested deeper", Assert.Throws<ManifestException>(() => Manifest.Read(deep, "f")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadPod_NestedAsDeepAsAllowed_IsRead()
    {
        var deep = string.Concat(Enumerable.Repeat("[", 57)) + string.Concat(Enumerable.Repeat("]", 57));
        Assert.NotNull(Manifest.ReadPod(Head + $"spec: {{resourceClaims: {deep}}}", "f").Pod.Spec.ResourceClaims);
    }

    [Fact]
    public async Task ReadAsync_File_IsReadAndNamed()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            await File.WriteAllTextAsync(path, Head + "metadata: {name: é}\n");
            Assert.Equal("é", (await Manifest.ReadPodAsync(path, CancellationToken.None)).Pod.Metadata.Name);

            await File.WriteAllBytesAsync(path, [(byte)'a', 0xff, 0xfe]);
            Assert.StartsWith(
                $"{path}:1:1: not UTF-8 text",
                (await Assert.ThrowsAsync<ManifestException>(() => Manifest.ReadAsync(path, CancellationToken.None))).Message,
                StringComparison.Ordinal);

            await File.WriteAllTextAsync(path, new string(' ', Manifest.MaxBytes + 1));
            Assert.Equal(
                $"{path}:1:1: the manifest is larger than 3 MiB",
                (await Assert.ThrowsAsync<ManifestException>(() => Manifest.ReadAsync(path, CancellationToken.None))).Message);
        }
        finally
        {
            File.Delete(path);
        }

        await Assert.ThrowsAsync<FileNotFoundException>(() => Manifest.ReadAsync(path, CancellationToken.None));
    }

    [Fact]
    public void ReadPod_MutilatedManifest_ThrowsNothingButManifestException() =>
        Property.Holds(
            output,
            from edits in Gen.Choose(1, 8)
            from at in Gen.ArrayOf(Gen.Choose(0, Rich.Length - 1), edits)
            from with in Gen.ArrayOf(Gen.Elements("", " ", "\n", "\t", ":", "-", "{", "}", "[", "]", "&a ", "*base", "\"", "'", "!", "|", ">", "#", "%", "<<: ", "0", "\0", "\u2028", "\ud800", "? "), edits)
            select at.Zip(with).ToArray(),
            edits =>
            {
                var text = new StringBuilder(Rich);
                foreach (var (at, with) in edits)
                {
                    text.Remove(at, 1).Insert(at, with.Length == 0 ? "" : with);
                    text.Append(' ');
                }

                try
                {
                    Manifest.ReadPod(text.ToString(), "f");
                }
                catch (ManifestException e)
                {
                    Assert.True(e is { Line: > 0, Column: > 0 }, e.Message);
                }
            },
            tries: 1500);

    /// <summary>Objects by key, without nulls and empty objects, which kubectl prints and Kip does not.</summary>
    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o
            .Select(pair => KeyValuePair.Create(pair.Key, Sorted(pair.Value)))
            .Where(pair => pair.Value is not (null or JsonObject { Count: 0 }))
            .OrderBy(pair => pair.Key, StringComparer.Ordinal)),
        JsonArray a => new JsonArray([.. a.Select(Sorted)]),
        _ => node?.DeepClone(),
    };
}
