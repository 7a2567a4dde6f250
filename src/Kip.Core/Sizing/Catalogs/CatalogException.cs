namespace Kip.Sizing;

/// <summary>A catalog cannot be used. The message says which file, line and column, and what is wrong there.</summary>
/// <param name="message">What is wrong, and where.</param>
/// <param name="innerException">What caused it, if anything did.</param>
public sealed class CatalogException(string message, Exception? innerException = null) : Exception(message, innerException);
