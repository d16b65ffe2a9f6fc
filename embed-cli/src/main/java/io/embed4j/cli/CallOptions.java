// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.InvalidTextException;
import io.embed4j.TextRole;
import io.embed4j.TruncationPolicy;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options that decide how texts become vectors. */
final class CallOptions {

    @Option(
            names = "--role",
            paramLabel = "ROLE",
            converter = RoleConverter.class,
            description = "query or document: what the texts are in a search, which picks the model's prompt for them.")
    private @Nullable TextRole role;

    @Option(
            names = "--prompt-name",
            paramLabel = "NAME",
            description = "One of the model's prompts, put before every text.")
    private @Nullable String promptName;

    @Option(names = "--prompt", paramLabel = "TEXT", description = "Put before every text; \"\" for no prompt at all.")
    private @Nullable String prompt;

    @Option(
            names = "--dimension",
            paramLabel = "D",
            description = "Keep the first D numbers of each vector (Matryoshka models). Default: 0, all.")
    private int dimension;

    @Option(
            names = "--truncation",
            paramLabel = "POLICY",
            converter = TruncationConverter.class,
            description = "What happens to texts that are too long: truncate (and say so), error, or chunk (mean of the"
                    + " chunks' vectors). Default: truncate.")
    private TruncationPolicy truncation = TruncationPolicy.TRUNCATE;

    /** These options, for texts that have a role unless another prompt was asked for. */
    CallOptions inRole(TextRole role) {
        if (this.role == null) {
            this.role = role;
        }
        return this;
    }

    EmbedOptions toEmbedOptions() {
        try {
            return new EmbedOptions(role, promptName, prompt, dimension, truncation, null, null);
        } catch (IllegalArgumentException e) {
            throw CliException.usage(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Asks the model about the options before the first text: an empty call fails where a full one would.
     *
     * @param embedder the loaded model
     * @return [0, D], which tells D
     * @throws CliException if the model has no such prompt or dimension
     */
    Embeddings check(Embedder embedder) {
        try {
            return embedder.embed(List.of(), toEmbedOptions());
        } catch (IllegalArgumentException e) {
            throw CliException.usage(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Says which text cannot be embedded.
     *
     * @param place where people find it; the library counts from 0
     * @param failure the library's words
     */
    static CliException refused(String place, InvalidTextException failure) {
        String reason =
                String.valueOf(failure.getMessage()).replaceFirst("^Text " + failure.index() + " ", "the text ");
        return CliException.failed(failure.helpTopic(), place + ": " + reason, failure);
    }

    private static final class RoleConverter implements ITypeConverter<TextRole> {
        @Override
        public TextRole convert(String text) {
            for (TextRole role : TextRole.values()) {
                if (role.name().equalsIgnoreCase(text)) {
                    return role;
                }
            }
            throw new TypeConversionException("Unknown role \"" + text + "\". Use query or document.");
        }
    }

    private static final class TruncationConverter implements ITypeConverter<TruncationPolicy> {
        @Override
        public TruncationPolicy convert(String text) {
            for (TruncationPolicy policy : TruncationPolicy.values()) {
                if (policy.name().equalsIgnoreCase(text)) {
                    return policy;
                }
            }
            throw new TypeConversionException("Unknown truncation \"" + text + "\". Use truncate, error or chunk.");
        }
    }
}
