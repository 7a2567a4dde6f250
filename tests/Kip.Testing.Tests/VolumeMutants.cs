using Kip.Drivers;

namespace Kip.Testing.Tests;

/// <summary>Drivers that are wrong with volumes in one way each, with the check that must find it.</summary>
internal static class VolumeMutants
{
    public static IReadOnlyList<(string Check, string Mutant, Func<ConformanceFixture, ICellDriver, ICellDriver> Wrap)> All { get; } =
    [
        ("Identify_OfAnotherDriversVolume_IsNull", "takes anybody's", (_, d) => new DriverMutant(d) { IdentifyVolume = v => new AttachableVolume(v.Spec.Csi!.VolumeHandle) }),
        ("Identify_OfAnotherDriversVolume_IsNull", "knows none", (_, d) => new DriverMutant(d) { IdentifyVolume = _ => null }),
        ("Identify_OfAnotherDriversVolume_IsNull", "cannot attach", (_, d) => new BareDriver(d)),
        ("Attach_Repeated_AnswersTheSame", "attached is an error", (f, d) => new DriverMutant(d)
        {
            Attach = (i, v, t) => f.Shared.TryAdd(v.Id, i) ? Of(d).AttachAsync(i, v, false, t) : throw new DriverException(DriverErrorKind.InvalidConfiguration, "VolumeInUse"),
        }),
        ("Attach_Repeated_AnswersTheSame", "another device each time", (f, d) => new DriverMutant(d)
        {
            Attach = async (i, v, t) =>
            {
                await Of(d).AttachAsync(i, v, false, t);
                return new AttachedDevice { Paths = [$"/dev/xvd{(f.Shared.TryAdd(v.Id, i) ? 'b' : 'c')}"] };
            },
        }),
        ("Attach_Repeated_AnswersTheSame", "does not say where", (_, d) => new DriverMutant(d)
        {
            Attach = async (i, v, t) => (await Of(d).AttachAsync(i, v, false, t)) with { Paths = [], Serial = null },
        }),
        ("Attach_ToAnotherInstance_WaitsForTheFirst", "another kind", (_, d) => new DriverMutant(d)
        {
            Attach = async (i, v, t) =>
            {
                try
                {
                    return await Of(d).AttachAsync(i, v, false, t);
                }
                catch (DriverException e)
                {
                    throw new DriverException(DriverErrorKind.InvalidConfiguration, e.Message);
                }
            },
        }),
        ("Attach_ToAnotherInstance_WaitsForTheFirst", "takes it away", TakesAway),
        ("Attach_ToWhatDoesNotExist_IsNotFound", "another kind", (_, d) => new DriverMutant(d)
        {
            Attach = (i, v, t) => i.StartsWith("i-0000000", StringComparison.Ordinal) ? Of(d).AttachAsync(i, v, false, t) : throw new DriverException(DriverErrorKind.Unauthorized, "no"),
        }),
        ("Attach_ToWhatDoesNotExist_IsNotFound", "believes it", (_, d) => new DriverMutant(d) { Attach = (_, v, _) => Task.FromResult(new AttachedDevice { Serial = v.Id }) }),
        ("Detach_WhatIsNotAttached_IsNoError", "detached is an error", (f, d) => new DriverMutant(d)
        {
            Detach = (i, v, t) => f.Cloud.Volumes.Any(volume => volume.Id == v.Id && volume.AttachedTo == i)
                ? Of(d).DetachAsync(i, v, t) : throw new DriverException(DriverErrorKind.InvalidConfiguration, "IncorrectState"),
        }),
        ("Detach_WhatIsNotAttached_IsNoError", "from anybody", (f, d) => new DriverMutant(d)
        {
            Detach = (_, v, t) => Of(d).DetachAsync(f.Cloud.Volumes.Single(volume => volume.Id == v.Id).AttachedTo ?? "none", v, t),
        }),
        ("Terminate_WithVolume_FreesIt", "remembers the first", (f, d) => new DriverMutant(d)
        {
            Attach = (i, v, t) => f.Shared.TryAdd(v.Id, i) || f.Shared[v.Id] == i ? Of(d).AttachAsync(i, v, false, t) : throw new DriverException(DriverErrorKind.InvalidConfiguration, "gone"),
        }),
        ("Detach_AfterTheEnd_IsNoError", "gone is an error", (f, d) => new DriverMutant(d)
        {
            Detach = (i, v, t) => f.Cloud.Instances.Any(instance => instance.Instance.Id == i && instance.IsAlive)
                ? Of(d).DetachAsync(i, v, t) : throw new DriverException(DriverErrorKind.NotFound, "InvalidInstanceID.NotFound"),
        }),
    ];

    private static IVolumeAttacher Of(ICellDriver driver) => (IVolumeAttacher)driver;

    private static DriverMutant TakesAway(ConformanceFixture fixture, ICellDriver driver) => new(driver)
    {
        Attach = async (i, v, t) =>
        {
            if (fixture.Cloud.Volumes.Single(volume => volume.Id == v.Id).AttachedTo is { } holder && holder != i)
            {
                await Of(driver).DetachAsync(holder, v, t);
            }

            return await Of(driver).AttachAsync(i, v, false, t);
        },
    };
}
