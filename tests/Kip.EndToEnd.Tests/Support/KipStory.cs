namespace Kip.EndToEnd.Tests.Support;

/// <summary>A test with a Kip of its own. Whatever it did, nothing of a cell may be left on the machine after it.</summary>
public abstract class KipStory : IAsyncLifetime
{
    internal KipHome Kip { get; private set; } = null!;

    public virtual Task InitializeAsync()
    {
        Kip = new KipHome();
        return Task.CompletedTask;
    }

    public virtual async Task DisposeAsync()
    {
        using (Kip)
        {
            await Kip.EndAsync();
        }
    }

    /// <summary>A pod of one container with a shell script.</summary>
    internal static string Shell(string script, string spec = "", string container = "") => $"""
        apiVersion: v1
        kind: Pod
        metadata: {"{name: story}"}
        spec:
          restartPolicy: Never
        {Indent(spec, 2)}
          containers:
            - name: main
              image: busybox:1.35
        {Indent(container, 6)}
              command:
                - sh
                - -c
                - |
        {Indent(script, 10)}
        """;

    private static string Indent(string text, int by) =>
        string.Join('\n', text.Split('\n').Where(static l => l.Length > 0).Select(l => new string(' ', by) + l));
}
