namespace Kip.Agent.Volumes;

/// <summary>What a file takes of its disk.</summary>
/// <param name="Bytes">Of the blocks it has: a file with holes is longer.</param>
/// <param name="Device">The disk.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Links">How many names it has.</param>
internal readonly record struct FileAllocation(long Bytes, ulong Device, ulong Inode, uint Links);
