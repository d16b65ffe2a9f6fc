// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.util.Locale;

/**
 * A section of {@code docs/troubleshooting.md}, which says more about an error than its message can: what leads there,
 * how to find out, what helps. Anchors stay as they are from release to release.
 *
 * <pre>{@code
 * try {
 *     Embedder.builder().model("/no/such/directory").build();
 *     throw new AssertionError();
 * } catch (EmbedException e) {
 *     if (!e.helpTopic().link().equals("docs/troubleshooting.md#model-not-found")) throw new AssertionError(e);
 * }
 * }</pre>
 *
 * @since 0.1
 */
public enum HelpTopic {
    /** The class path holds the api without an implementation. */
    NO_IMPLEMENTATION,
    /** The model's name leads nowhere. */
    MODEL_NOT_FOUND,
    /** The Hub does not let us have the model: it is gated, private, or the token is wrong. */
    HUB_ACCESS,
    /** The Hub cannot be reached, is too slow, or has no time for us. */
    HUB_UNREACHABLE,
    /** Downloads are switched off, and something is not in the cache. */
    HUB_OFFLINE,
    /** What came from the Hub is not what the Hub says it is. */
    HUB_DOWNLOAD,
    /** The weights exist as a pickle only. */
    PYTORCH_WEIGHTS,
    /** Files of a model are missing, are not what they should be, or contradict each other. */
    MODEL_FORMAT,
    /** A weight file is cut, damaged, or lies about itself. */
    DAMAGED_WEIGHTS,
    /** The weights are not those that the configuration calls for. */
    MISSING_TENSOR,
    /** tokenizer.json is missing, damaged, of another model, or would abort the JVM. */
    TOKENIZER,
    /** The {@code model_type} of config.json is not known. */
    UNKNOWN_FAMILY,
    /** A model, or an option for it, is understood but cannot be honoured. */
    UNSUPPORTED_MODEL,
    /** The device does not offer the precision. */
    PRECISION,
    /** A vector holds NaN or infinity. */
    NOT_FINITE,
    /** The device that was asked for cannot be used. */
    DEVICE_UNAVAILABLE,
    /** ONNX Runtime is missing, too old, or refuses what it is given. */
    ONNX_RUNTIME,
    /** The native tokenizer library cannot be loaded. */
    NATIVE_TOKENIZER,
    /** The model does not fit the device's free memory. */
    OUT_OF_DEVICE_MEMORY,
    /** A text cannot be embedded. */
    INVALID_TEXT,
    /** A text is longer than the model takes, and was not to be cut. */
    TEXT_TOO_LONG,
    /** More numbers than a Java array can hold. */
    TOO_MANY_ROWS,
    /** The embedder was closed before or during the call. */
    EMBEDDER_CLOSED,
    /** The thread was interrupted while it waited. */
    INTERRUPTED,
    /** There is no place to unpack the embedded model to. */
    CACHE_DIRECTORY,
    /** A saved index cannot be opened, or is not the one that was loaded. */
    INDEX_FILE,
    /** The index was closed before the call. */
    INDEX_CLOSED,
    /** A file of vectors holds something else. */
    VECTOR_FILE,
    /** An output file cannot be written: permissions, a full disk. */
    CANNOT_WRITE,
    /** An input file cannot be read. */
    CANNOT_READ,
    /** The Java heap is full. */
    JAVA_HEAP,
    /** The backend failed in a way that embed4j has no name for. */
    ENCODER_FAILED;

    private static final String DOCUMENT = "docs/troubleshooting.md";

    /**
     * Returns the section's anchor in the document.
     *
     * @return for instance {@code model-not-found}
     */
    public String anchor() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * Returns where to read, from the root of the repository.
     *
     * @return for instance {@code docs/troubleshooting.md#model-not-found}
     */
    public String link() {
        return DOCUMENT + "#" + anchor();
    }
}
