using System.Net;
using Kip.Agents;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Tests;

public sealed class LogTests
{
    private const string Path = "/containerLogs/default/pod/main";

    [Theory]
    [InlineData("", "one\ntwo\npart ial\n")]
    [InlineData("?limitBytes=5", "one\nt")]
    [InlineData("?timestamps=true", "2023-11-14T22:13:20.000000000Z one\n2023-11-14T22:13:21.000000000Z two\n2023-11-14T22:13:22.000000000Z part ial\n")]
    [InlineData("?timestamps=true&limitBytes=10", "2023-11-14")]
    public async Task Log_Options_ShapeWhatIsSent(string query, string expected)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.Log.AddRange(
        [
            ProcessPodHost.Line("one\n"), ProcessPodHost.Line("two\n", isError: true, 1), ProcessPodHost.Line("part ", false, 2),
            ProcessPodHost.Line("ial\n", false, 3),
        ]);

        Assert.Equal(expected, await kubelet.Client().GetStringAsync(new Uri(Path + query, UriKind.Relative)));
    }

    [Theory]
    [InlineData("", int.MaxValue)]
    [InlineData("?limitBytes=100001", 100_001)]
    public async Task Log_OfManyLines_IsSentWhole(string query, int limit)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        string[] lines = [.. Enumerable.Range(0, 5000).Select(static i => $"{i} {new string('x', i == 77 ? 200_000 : i % 90)}\n")];
        kubelet.Host.Log.AddRange(lines.Select(static line => ProcessPodHost.Line(line)));
        var all = string.Concat(lines);

        var log = await kubelet.Client().GetStringAsync(new Uri(Path + query, UriKind.Relative));

        Assert.True(log == all[..Math.Min(limit, all.Length)], $"{log.Length} characters of {all.Length} came, or not the right ones");
    }

    [Fact]
    public async Task Log_Options_AreHandedToTheCell()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        var pod = kubelet.Host.FindPod("default", "pod")!;
        pod.Status!.ContainerStatuses![0].LastState = new() { Terminated = new() { ContainerID = "containerd://before" } };

        await kubelet.Client().GetStringAsync(new Uri(Path + "?previous=true&tailLines=7&sinceTime=2026-11-22T10:00:00Z", UriKind.Relative));

        Assert.Equal(
            new LogQuery { Container = "main", Previous = true, TailLines = 7, Since = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero) },
            kubelet.Host.LastQuery);
    }

    [Theory]
    [InlineData("?tailLines=x", HttpStatusCode.BadRequest)]
    [InlineData("?follow=maybe", HttpStatusCode.BadRequest)]
    [InlineData("?sinceTime=yesterday", HttpStatusCode.BadRequest)]
    [InlineData("?tailLines=-1", HttpStatusCode.UnprocessableEntity)]
    [InlineData("?limitBytes=0", HttpStatusCode.UnprocessableEntity)]
    [InlineData("?sinceSeconds=0", HttpStatusCode.UnprocessableEntity)]
    [InlineData("?sinceSeconds=5&sinceTime=2026-11-22T10:00:00Z", HttpStatusCode.UnprocessableEntity)]
    public async Task Log_QueryIsWrong_IsRefused(string query, HttpStatusCode status)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        using var answer = await kubelet.Client().GetAsync(new Uri(Path + query, UriKind.Relative));

        Assert.Equal(status, answer.StatusCode);
    }

    [Theory]
    [InlineData("/containerLogs/default/nobody/main", HttpStatusCode.NotFound, "pod \"nobody\" does not exist")]
    [InlineData("/containerLogs/default/pod/other", HttpStatusCode.NotFound, "container \"other\" not found in pod \"pod\"")]
    [InlineData(Path + "?previous=true", HttpStatusCode.BadRequest, "previous terminated container \"main\" in pod \"pod\" not found")]
    public async Task Log_NothingThere_SaysSoAsAKubeletDoes(string path, HttpStatusCode status, string text)
    {
        await using var kubelet = await TestKubelet.StartAsync();

        using var answer = await kubelet.Client().GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(text, (await answer.Content.ReadAsStringAsync()).Trim());
    }

    [Theory]
    [InlineData("ContainerCreating", "container \"main\" in pod \"pod\" is waiting to start: ContainerCreating")]
    [InlineData("ErrImagePull", "container \"main\" in pod \"pod\" is waiting to start: image can't be pulled")]
    [InlineData("ImagePullBackOff", "container \"main\" in pod \"pod\" is waiting to start: trying and failing to pull image")]
    public async Task Log_ContainerWaits_SaysWhy(string reason, string text)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.FindPod("default", "pod")!.Status!.ContainerStatuses![0].State =
            new ContainerState { Waiting = new() { Reason = reason } };

        using var answer = await kubelet.Client().GetAsync(new Uri(Path, UriKind.Relative));

        Assert.Equal((HttpStatusCode.BadRequest, text), (answer.StatusCode, (await answer.Content.ReadAsStringAsync()).Trim()));
    }

    [Theory]
    [InlineData(AgentErrorKind.Unavailable, HttpStatusCode.ServiceUnavailable)]
    [InlineData(AgentErrorKind.NotFound, HttpStatusCode.NotFound)]
    [InlineData(AgentErrorKind.Refused, HttpStatusCode.BadRequest)]
    [InlineData(AgentErrorKind.Failed, HttpStatusCode.InternalServerError)]
    public async Task Log_CellFails_SaysWhy(AgentErrorKind kind, HttpStatusCode status)
    {
        await using var kubelet = await TestKubelet.StartAsync();
        kubelet.Host.Failure = new AgentException(kind, "no luck");

        using var answer = await kubelet.Client().GetAsync(new Uri(Path, UriKind.Relative));

        Assert.Equal((status, "no luck\n"), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task Log_Followed_ComesAsItIsWrittenAndEndsWithTheContainer()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        var stream = await Within.Limits(kubelet.Client().GetStreamAsync(new Uri(Path + "?follow=true", UriKind.Relative)));
        using var reader = new StreamReader(stream);

        for (var i = 0; i < 3; i++)
        {
            kubelet.Host.Following.Writer.TryWrite(ProcessPodHost.Line($"line {i}\n"));
            Assert.Equal($"line {i}", await Within.Limits(reader.ReadLineAsync()));
        }

        kubelet.Host.Following.Writer.Complete();
        Assert.Null(await Within.Limits(reader.ReadLineAsync()));
    }

    [Fact]
    public async Task Log_FollowedAndBroken_ClientSeesThatItIsCut()
    {
        await using var kubelet = await TestKubelet.StartAsync();
        var stream = await Within.Limits(kubelet.Client().GetStreamAsync(new Uri(Path + "?follow=true", UriKind.Relative)));
        using var reader = new StreamReader(stream);
        kubelet.Host.Following.Writer.TryWrite(ProcessPodHost.Line("line\n"));
        Assert.Equal("line", await Within.Limits(reader.ReadLineAsync()));

        kubelet.Host.Following.Writer.Complete(new AgentException(AgentErrorKind.Unavailable, "gone"));

        await Assert.ThrowsAnyAsync<IOException>(() => Within.Limits(reader.ReadLineAsync()));
    }
}
