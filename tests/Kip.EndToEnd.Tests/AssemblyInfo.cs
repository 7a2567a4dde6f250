// Each test has a cell of its own, with a containerd and an agent: more at once would only slow each other down on a small machine.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]
