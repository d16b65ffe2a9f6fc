// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.SimilarityFunction;
import io.embed4j.TextRole;
import io.embed4j.TokenEmbeddings;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What search needs of a model: prompts by name and by role, shorter vectors, similarities. Part of
 * {@link EmbedderContract}.
 */
@SuppressWarnings("JUnitIncorrectMethodPropagation")
public abstract class EmbedderSearchContract extends EmbedderNumbersContract {

    /** The last one does not pool the prompt's tokens. */
    @ParameterizedTest
    @ValueSource(
            strings = {"bert-h48-a2", "xlm-roberta-h48-a2", "qwen3-h40-a4", "gemma3-h36-a4", "bert-lasttoken-h32-a2"})
    void promptsAreThoseOfTheReference(String name) {
        Fixture fixture = Fixture.load(name);
        try (Embedder embedder = open(fixture)) {
            Bar.Worst worst = new Bar.Worst();
            for (Fixture.Prompted expected : fixture.prompted()) {
                String text = fixture.texts().get(expected.text());
                EmbedOptions byName = EmbedOptions.defaults().withPromptName(expected.promptName());
                Embeddings vectors = embedder.embed(text, byName);
                worst.add(Bar.unitError(vectors.vector(0), expected.vector()), "text " + expected.text());
                String prompt =
                        Objects.requireNonNull(embedder.model().prompts().get(expected.promptName()));
                assertThat(embedder.embed(text, EmbedOptions.defaults().withPrompt(prompt))
                                .vector(0))
                        .isEqualTo(vectors.vector(0));
            }
            worst.mustPass(device() + " " + fixture + ", prompts", Bar.of(fixture, embedder.precision()));
        }
    }

    /** The default prompt, prompts by role, vectors that the configuration or a call cuts. */
    @ParameterizedTest
    @ValueSource(strings = {"plain", "query", "document", "shorter", "shorterUnit"})
    void whatSearchNeedsIsThatOfTheReference(String call) {
        Fixture fixture = Fixture.load(Fixture.RETRIEVAL);
        Fixture.Retrieval retrieval = fixture.retrieval();
        Fixture.Encoded expected = switch (call) {
            case "query" -> retrieval.query();
            case "document" -> retrieval.document();
            case "shorter" -> retrieval.shorter();
            case "shorterUnit" -> retrieval.shorterUnit();
            default -> retrieval.plain();
        };
        int dimension = expected.vectors()[0].length;
        EmbedOptions options = switch (call) {
            case "query" -> EmbedOptions.defaults().withRole(TextRole.QUERY);
            case "document" -> EmbedOptions.defaults().withRole(TextRole.DOCUMENT);
            case "shorter", "shorterUnit" -> EmbedOptions.defaults().withDimension(dimension);
            default -> EmbedOptions.defaults();
        };
        for (Precision precision : precisions()) {
            try (Embedder embedder = open(fixture, precision)) {
                assertThat(embedder.model().prompts()).containsOnlyKeys(retrieval.promptNames());
                assertThat(embedder.dimension()).isEqualTo(retrieval.dimension());
                List<String> texts =
                        retrieval.texts().stream().map(fixture.texts()::get).toList();
                Embeddings vectors = embedder.embed(texts, options);
                assertThat(vectors.dimension()).isEqualTo(dimension);
                List<TokenEmbeddings> tokens = embedder.embedTokens(texts, options);
                Bar.Worst worst = new Bar.Worst();
                for (int row = 0; row < texts.size(); row++) {
                    assertThat(tokens.get(row).tokens().stream()
                                    .mapToInt(TokenEmbeddings.Token::id)
                                    .toArray())
                            .isEqualTo(expected.tokenIds()[row]);
                    // An error is a share of the whole vector, of which the reference holds a part.
                    double length = norm(expected.vectors()[row]);
                    double whole = call.equals("shorterUnit")
                            ? norm(retrieval.shorter().vectors()[row])
                            : length;
                    worst.add(whole * Bar.unitError(vectors.vector(row), expected.vectors()[row]), "text " + row);
                    assertThat(norm(vectors.vector(row)))
                            .as("what is cut is normalized again, unlike in the reference")
                            .isBetween(1 - 1e-6, 1 + 1e-6);
                    assertThat(length).isLessThan(call.equals("shorterUnit") ? 1.0001 : 0.99);
                }
                worst.mustPass(device() + " " + fixture + " " + precision + ", " + call, Bar.of(fixture, precision));
            }
        }
    }

    @Test
    void similaritiesAreThoseOfTheReference() {
        Fixture fixture = Fixture.load(Fixture.RETRIEVAL);
        Fixture.Retrieval retrieval = fixture.retrieval();
        retrieval.similarities().forEach((name, scores) -> {
            SimilarityFunction function = SimilarityFunction.parse(name);
            for (int i = 0; i < scores.length; i++) {
                for (int j = 0; j < scores[i].length; j++) {
                    assertThat(function.between(
                                    narrow(retrieval.query().vectors()[i]),
                                    narrow(retrieval.document().vectors()[j])))
                            .as("%s of query %s and document %s", name, i, j)
                            .isEqualTo(scores[i][j], within(1e-6));
                }
            }
        });
        assertThat(retrieval.similarities()).hasSameSizeAs(SimilarityFunction.values());
        try (Embedder embedder = open(fixture)) {
            assertThat(embedder.model().similarity()).hasToString(retrieval.similarity());
            List<String> texts =
                    retrieval.texts().stream().map(fixture.texts()::get).toList();
            Embeddings queries = embedder.embed(texts, EmbedOptions.defaults().withRole(TextRole.QUERY));
            Embeddings documents = embedder.embed(texts, EmbedOptions.defaults().withRole(TextRole.DOCUMENT));
            double[][] scores = embedder.similarity(queries, documents);
            double[][] cosines = Objects.requireNonNull(retrieval.similarities().get("cosine"));
            for (int i = 0; i < scores.length; i++) {
                for (int j = 0; j < scores[i].length; j++) {
                    assertThat(scores[i][j])
                            .as("distance of unit vectors from their cosine")
                            .isEqualTo(-Math.sqrt(2 - 2 * cosines[i][j]), within(1e-4));
                }
            }
        }
    }

    private static float[] narrow(double[] vector) {
        float[] narrow = new float[vector.length];
        for (int i = 0; i < narrow.length; i++) {
            narrow[i] = (float) vector[i];
        }
        return narrow;
    }
}
