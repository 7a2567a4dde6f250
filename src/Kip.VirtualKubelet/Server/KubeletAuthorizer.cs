using Kip.Kubernetes.Client;
using Kip.Kubernetes.Objects;

namespace Kip.VirtualKubelet.Server;

/// <summary>
/// Asks the API server (SubjectAccessReview) what a user may do with the node's subresources. A yes is remembered for a minute, a no for
/// ten seconds.
/// </summary>
/// <param name="client">Asks.</param>
/// <param name="nodeName">The node.</param>
/// <param name="time">The clock.</param>
public sealed class KubeletAuthorizer(IKubernetesClient client, string nodeName, TimeProvider time) : IKubeletAuthorizer
{
    private const int MaxAnswers = 4096;
    private static readonly TimeSpan AllowedFor = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ForbiddenFor = TimeSpan.FromSeconds(10);

    private readonly ExpiringCache<Question, bool> _answers = new(time, MaxAnswers);

    /// <inheritdoc/>
    public async Task<bool> IsAllowedAsync(UserInfo user, string verb, string subresource, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(user);
        var question = new Question(Identity(user), verb, subresource);
        if (_answers.TryGet(question, out var isAllowed))
        {
            return isAllowed;
        }

        var review = await client.CreateAsync(
            Resources.SubjectAccessReviews,
            new SubjectAccessReview
            {
                Spec = new()
                {
                    User = user.Username,
                    Uid = user.Uid,
                    Groups = user.Groups,
                    Extra = user.Extra,
                    ResourceAttributes = new()
                    {
                        Verb = verb, Version = "v1", Resource = "nodes", Subresource = subresource, Name = nodeName,
                    },
                },
            },
            cancellationToken).ConfigureAwait(false);
        isAllowed = review.Status is { Allowed: true } and not { Denied: true };
        _answers.Set(question, isAllowed, isAllowed ? AllowedFor : ForbiddenFor);
        return isAllowed;
    }

    /// <summary>All that the answer can depend on. Parts are told apart by a character that none of them has.</summary>
    private static string Identity(UserInfo user) => string.Join(
        '\0',
        [
            user.Username, user.Uid, .. user.Groups ?? [], "",
            .. (user.Extra ?? []).OrderBy(extra => extra.Key, StringComparer.Ordinal).SelectMany(extra => (string[])[extra.Key, .. extra.Value, ""]),
        ]);

    private readonly record struct Question(string User, string Verb, string Subresource);
}
