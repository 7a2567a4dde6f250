// A controller of one's own: every pod manifest that is put into a folder runs on a cell of its own.
//
//     spool FOLDER --agent FILE [--image ARCHIVE]...
//
// FOLDER/NAME.yaml becomes the pod NAME; its log goes to FOLDER/NAME.log, how it ended to FOLDER/NAME.end. Kill the program at any moment
// and start it again: pods go on meanwhile, none runs twice, and none is forgotten. To run one again, delete its .end.
using System.CommandLine;
using Kip.Agents;
using Kip.Cells;
using Kip.Drivers.Local;
using Kip.Samples.Spool;
using Microsoft.Extensions.Logging.Abstractions;

var folder = new Argument<string>("folder") { Description = "Where manifests are put" };
var agent = new Option<string>("--agent") { Description = "The agent program (artifacts/kip/agent/kip-agent of a clone)", Required = true };
var images = new Option<string[]>("--image") { Description = "An archive of images that cells start with", DefaultValueFactory = static _ => [] };
var bridge = new Option<string>("--bridge") { Description = "The cells' bridge", DefaultValueFactory = static _ => "kipspool0" };
var cidr = new Option<string>("--cidr") { Description = "The cells' addresses", DefaultValueFactory = static _ => "10.214.0.0/24" };
var command = new RootCommand("Runs each pod manifest in a folder on a cell of its own") { folder, agent, images, bridge, cidr };
command.SetAction((parsed, cancellationToken) => RunAsync(
    parsed.GetRequiredValue(folder),
    state => new LocalDriverOptions
    {
        ControllerId = "spool",
        StateDirectory = Path.Combine(state, "local"),
        AgentPath = Path.GetFullPath(parsed.GetRequiredValue(agent)),
        ImageArchives = [.. parsed.GetRequiredValue(images).Select(Path.GetFullPath)],
        Bridge = parsed.GetRequiredValue(bridge),
        Cidr = parsed.GetRequiredValue(cidr),
    },
    cancellationToken));
return await command.Parse(args).InvokeAsync();

static async Task RunAsync(string folder, Func<string, LocalDriverOptions> options, CancellationToken cancellationToken)
{
    // What must outlive the process lies in one folder: the authority that cells trust, and the records of the cells.
    var state = Path.GetFullPath(Path.Combine(folder, "state"));
    var time = TimeProvider.System;
    using var authority = await CertificateAuthority.LoadOrCreateAsync(state, time, cancellationToken);
    using var owner = await OwnerLock.TakeAsync(Path.Combine(state, "owners"), "spool", time, cancellationToken); // one process at a time
    using var store = await SqliteCellStore.OpenAsync(Path.Combine(state, "cells.db"), cancellationToken);
    var spool = new Spool(folder, time);
    await using var manager = new CellManager(
        new CellManagerOptions
        {
            Owner = owner.Owner,
            ControllerCa = authority.CertificatePem,
            BeforeForgotten = (cell, _) => spool.WriteEndAsync(cell), // once that is on the disk the record may go, not before
        },
        new LocalDriver(options(state), time, NullLogger<LocalDriver>.Instance),
        store,
        new GrpcAgentConnector(authority, time, NullLogger<GrpcAgentConnector>.Instance),
        time,
        NullLogger<CellManager>.Instance);
    await manager.StartAsync(cancellationToken); // takes up the cells that the process before this one left
    await spool.RunAsync(manager, cancellationToken);
}
