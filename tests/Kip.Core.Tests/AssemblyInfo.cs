// The virtual clock tells from the thread pool when the code under test has come to rest: other tests beside it would blur that.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
