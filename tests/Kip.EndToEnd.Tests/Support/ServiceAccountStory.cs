using Kip.Tests.Support;

namespace Kip.EndToEnd.Tests.Support;

/// <summary>A node whose hosts are the service account that deploy/rbac.yaml makes, so that every test shows that it has all it needs.</summary>
public abstract class ServiceAccountStory(SharedControlPlane cluster) : NodeStory(cluster)
{
    private string _kubeconfig = "";

    private protected override string HostKubeconfig => _kubeconfig;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        if (ControlPlane.Missing() is null)
        {
            await Plane.KubectlAsync("apply", "-f", Path.Combine(Repository.Root, "deploy", "rbac.yaml"));
            _kubeconfig = await Plane.KubeconfigForAsync("system:serviceaccount:kip:kip", "system:serviceaccounts");
        }
    }
}
