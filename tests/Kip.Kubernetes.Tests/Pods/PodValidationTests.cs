namespace Kip.Kubernetes.Tests;

public sealed class PodValidationTests
{
    private const string Label =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

    private const string Good = """
        apiVersion: v1
        kind: Pod
        metadata: {name: web.example-1, namespace: team, labels: {app.kubernetes.io/name: Web_1, empty: ""}, annotations: {Example.com/X: any thing}}
        spec:
          restartPolicy: OnFailure
          hostAliases: [{ip: "10.0.0.1", hostnames: [a.b]}]
          initContainers:
          - {name: prepare, image: busybox}
          - {name: sidecar, image: busybox, restartPolicy: Always, readinessProbe: {tcpSocket: {port: web}}}
          containers:
          - name: main
            image: nginx
            ports: [{name: web, containerPort: 80}, {containerPort: 65535, protocol: UDP, hostPort: 53}]
            env: [{name: A.b-C_1, value: x}, {name: P, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
            resources: {limits: {cpu: 1, memory: 1Gi, nvidia.com/gpu: 1}, requests: {cpu: 1000m, nvidia.com/gpu: 1}}
            volumeMounts: [{name: data, mountPath: /data, subPath: a/b}, {name: data, mountPath: /other}]
            livenessProbe: {exec: {command: ["true"]}}
            lifecycle: {preStop: {sleep: {seconds: 1}}}
          volumes: [{name: data}, {name: cm, configMap: {name: x, items: [{key: k, path: a/b}]}}]
        """;

    [Fact]
    public void Validate_GoodPod_HasNoErrorBeforeAndAfterDefaults()
    {
        var pod = Manifest.ReadPod(Good, "f").Pod;
        Assert.Empty(PodValidation.Validate(pod));
        PodDefaults.Apply(pod);
        Assert.Empty(PodValidation.Validate(pod));
    }

    [Theory]
    [InlineData("spec: {}", "spec.containers: Required value")]
    [InlineData("{}", "spec.containers[0].image: Required value")]
    [InlineData("image: ' x'", "spec.containers[0].image: Invalid value: \" x\": must not have leading or trailing whitespace")]
    [InlineData("name: ''", "spec.containers[0].name: Required value")]
    [InlineData("name: Web", "spec.containers[0].name: Invalid value: \"Web\": " + Label)]
    [InlineData("imagePullPolicy: Sometimes", "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"")]
    [InlineData("restartPolicy: Maybe", "spec.containers[0].restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\", \"OnFailure\"")]
    [InlineData("restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]", "spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used")]
    [InlineData("restartPolicy: Never\n    restartPolicyRules: [{action: Wait, exitCodes: {operator: In, values: [1]}}]", "spec.containers[0].restartPolicyRules[0].action: Unsupported value: \"Wait\": supported values: \"Restart\"")]
    [InlineData("restartPolicy: Never\n    restartPolicyRules: [{action: Restart}]", "spec.containers[0].restartPolicyRules[0].exitCodes.values: Required value")]
    [InlineData("ports: [{}]", "spec.containers[0].ports[0].containerPort: Required value")]
    [InlineData("ports: [{containerPort: 65536}]", "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive")]
    [InlineData("ports: [{containerPort: 1, hostPort: -1}]", "spec.containers[0].ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive")]
    [InlineData("ports: [{containerPort: 1, protocol: ICMP}]", "spec.containers[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"")]
    [InlineData("ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]", "spec.containers[0].ports[1].name: Duplicate value: \"a\"")]
    [InlineData("ports: [{containerPort: 1, hostPort: 5}, {containerPort: 2, hostPort: 5}]", "spec.containers[0].ports[1].hostPort: Duplicate value: 5")]
    [InlineData("env: [{value: x}]", "spec.containers[0].env[0].name: Required value")]
    [InlineData("env: [{name: a=b}]", "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='")]
    [InlineData("env: [{name: a, valueFrom: {}}]", "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")]
    [InlineData("env: [{name: a, value: x, valueFrom: {secretKeyRef: {name: s, key: k}}}]", "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty")]
    [InlineData("env: [{name: a, valueFrom: {secretKeyRef: {name: s}}}]", "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value")]
    [InlineData("resources: {limits: {cpu: 1}, requests: {cpu: 1001m}}", "spec.containers[0].resources.requests: Invalid value: \"1001m\": must be less than or equal to cpu limit of 1")]
    [InlineData("resources: {limits: {cpu: -1}}", "spec.containers[0].resources.limits.cpu: Invalid value: \"-1\": must be greater than or equal to 0")]
    [InlineData("resources: {limits: {gpu: 1}}", "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified")]
    [InlineData("resources: {limits: {x.com/gpu: 500m}}", "spec.containers[0].resources.limits.x.com/gpu: Invalid value: \"500m\": must be an integer")]
    [InlineData("resources: {limits: {x.com/gpu: 2}, requests: {x.com/gpu: 1}}", "spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to x.com/gpu limit of 2")]
    [InlineData("resources: {requests: {x.com/gpu: 1}}", "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources")]
    [InlineData("volumeMounts: [{name: nope, mountPath: /a}]", "spec.containers[0].volumeMounts[0].name: Not found: \"nope\"")]
    [InlineData("volumeMounts: [{name: v}]", "spec.containers[0].volumeMounts[0].mountPath: Required value")]
    [InlineData("volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]", "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique")]
    [InlineData("volumeMounts: [{name: v, mountPath: /a, subPath: ../x}]", "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"../x\": must not contain '..'")]
    [InlineData("volumeMounts: [{name: v, mountPath: /a, subPath: /x}]", "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"/x\": must be a relative path")]
    [InlineData("livenessProbe: {}", "spec.containers[0].livenessProbe: Required value: must specify a handler type")]
    [InlineData("livenessProbe: {exec: {}}", "spec.containers[0].livenessProbe.exec.command: Required value")]
    [InlineData("livenessProbe: {exec: {command: [a]}, grpc: {port: 1}}", "spec.containers[0].livenessProbe.grpc: Forbidden: may not specify more than 1 handler type")]
    [InlineData("livenessProbe: {tcpSocket: {port: 0}}", "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive")]
    [InlineData("livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}", "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1")]
    [InlineData("readinessProbe: {tcpSocket: {port: 1}, periodSeconds: -1}", "spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0")]
    [InlineData("lifecycle: {postStart: {}}", "spec.containers[0].lifecycle.postStart: Required value: must specify a handler type")]
    [InlineData("terminationMessagePolicy: x", "spec.containers[0].terminationMessagePolicy: Unsupported value: \"x\": supported values: \"File\", \"FallbackToLogsOnError\"")]
    [InlineData("metadata: {name: null}", "metadata.name: Required value: name or generateName is required")]
    [InlineData("metadata: {namespace: a.b}", "metadata.namespace: Invalid value: \"a.b\": " + Label)]
    [InlineData("metadata: {labels: {a: '-'}}", "metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character")]
    [InlineData("spec: {restartPolicy: Maybe}", "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\"")]
    [InlineData("spec: {terminationGracePeriodSeconds: -1}", "spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0")]
    [InlineData("spec: {activeDeadlineSeconds: 0}", "spec.activeDeadlineSeconds: Invalid value: 0: must be greater than or equal to 1")]
    [InlineData("spec: {dnsPolicy: None}", "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None")]
    [InlineData("spec: {hostname: a_b}", "spec.hostname: Invalid value: \"a_b\": " + Label)]
    [InlineData("spec: {hostAliases: [{ip: x}]}", "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    [InlineData("spec: {volumes: [{name: v}, {name: v}]}", "spec.volumes[1].name: Duplicate value: \"v\"")]
    [InlineData("spec: {volumes: [{name: v, emptyDir: {}, hostPath: {path: /x}}]}", "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type")]
    [InlineData("spec: {volumes: [{name: v, hostPath: {}}]}", "spec.volumes[0].hostPath.path: Required value")]
    [InlineData("spec: {volumes: [{name: v, configMap: {}}]}", "spec.volumes[0].configMap.name: Required value")]
    [InlineData("spec: {volumes: [{name: v, configMap: {name: x, defaultMode: 512}}]}", "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive")]
    [InlineData("spec: {volumes: [{name: v, secret: {secretName: x, items: [{key: k, path: ../p}]}}]}", "spec.volumes[0].secret.items[0].path: Invalid value: \"../p\": must not contain '..'")]
    public void Validate_BadPod_SaysWhatTheApiServerSays(string change, string error) =>
        Assert.Contains(error, Validate(change));

    [Theory]
    [InlineData("{name: c, image: x}", "spec.containers[0].name: Duplicate value: \"c\"")]
    [InlineData("{name: i, image: x, restartPolicy: Maybe}", "spec.initContainers[0].restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\", \"OnFailure\"")]
    [InlineData("{name: i, image: x, readinessProbe: {exec: {command: [a]}}}", "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always")]
    [InlineData("{name: i, image: x, lifecycle: {}}", "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always")]
    public void Validate_BadInitContainer_SaysWhatTheApiServerSays(string container, string error) =>
        Assert.Equal([error], Errors($"metadata: {{name: x}}\nspec: {{initContainers: [{container}], containers: [{{name: c, image: x}}]}}"));

    [Fact]
    public void Validate_SeveralErrors_GivesAll() =>
        Assert.Equal(
            ["spec.volumes[0].name: Required value", "spec.containers[0].name: Required value", "spec.containers[0].image: Required value"],
            Errors("metadata: {name: x}\nspec: {volumes: [{}], containers: [{}]}"));

    /// <summary>Errors of a good pod with a change: of its metadata, its spec, or else its container.</summary>
    private static IEnumerable<string> Validate(string change) => Errors(change switch
    {
        "spec: {}" => "metadata: {name: x}\nspec: {}",
        "{}" => "metadata: {name: x}\nspec: {containers: [{name: c}]}",
        ['s', 'p', 'e', 'c', ..] => $"metadata: {{name: x}}\n{change[..^1]}, containers: [{{name: c, image: x}}]}}",
        ['m', 'e', 't', 'a', ..] => $"{change}\nspec: {{containers: [{{name: c, image: x}}]}}",
        _ => $"metadata: {{name: x}}\nspec:\n  volumes: [{{name: v}}]\n  containers:\n  - <<: {{name: c, image: x}}\n    {change}",
    });

    private static IEnumerable<string> Errors(string text) =>
        PodValidation.Validate(Manifest.ReadPod($"apiVersion: v1\nkind: Pod\n{text}", "f").Pod).Select(error => error.ToString());
}
