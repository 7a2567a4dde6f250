namespace Kip.Samples.OwnMachines;

/// <summary>A machine in the rack.</summary>
/// <param name="Name">What the install command knows it by.</param>
/// <param name="Type">Name of its kind; machines of one kind are alike.</param>
/// <param name="Zone">The rack, say.</param>
/// <param name="Address">Where its agent will be reached.</param>
/// <param name="MilliCpu">Processors in thousandths.</param>
/// <param name="MemoryBytes">Memory in bytes.</param>
/// <param name="DiskBytes">Disk in bytes.</param>
public sealed record OwnMachine(string Name, string Type, string Zone, string Address, long MilliCpu, long MemoryBytes, long DiskBytes);

/// <summary>How a machine is set up and given back, for example by its management controller. Both are repeated after failures.</summary>
public interface IMachineInstaller
{
    /// <summary>Makes the machine boot the image, with these user data. Returns when that has begun.</summary>
    Task InstallAsync(OwnMachine machine, string image, string userData, CancellationToken cancellationToken);

    /// <summary>Switches the machine off and wipes its disk.</summary>
    Task WipeAsync(OwnMachine machine, CancellationToken cancellationToken);
}
