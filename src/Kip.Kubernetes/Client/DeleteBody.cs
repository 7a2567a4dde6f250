using System.Buffers;
using System.Text.Json;

namespace Kip.Kubernetes.Client;

/// <summary>Writes options as the API server reads them (meta/v1 DeleteOptions).</summary>
internal static class DeleteBody
{
    public static ReadOnlyMemory<byte> Write(DeleteOptions options)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("kind", "DeleteOptions");
            writer.WriteString("apiVersion", "v1");
            if (options.GracePeriod is { } grace)
            {
                writer.WriteNumber("gracePeriodSeconds", (long)Math.Ceiling(grace.TotalSeconds));
            }

            if (options.Uid is not null || options.ResourceVersion is not null)
            {
                writer.WriteStartObject("preconditions");
                if (options.Uid is { } uid)
                {
                    writer.WriteString("uid", uid);
                }

                if (options.ResourceVersion is { } version)
                {
                    writer.WriteString("resourceVersion", version);
                }

                writer.WriteEndObject();
            }

            if (options.Propagation is { } propagation)
            {
                writer.WriteString("propagationPolicy", propagation.ToString());
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }
}
