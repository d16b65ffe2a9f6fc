// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** Copies of fixtures, for tests of what is read from a model's directory. */
abstract class ModelCopies {
    @TempDir
    Path folder;

    private int copies;

    final ModelCopy copy(String fixture) {
        return ModelCopy.of(fixture, folder.resolve("copy" + copies++));
    }

    /** sentence-transformers 2.x layout, CLS, prompts, 40 of 130 positions. */
    final ModelCopy oldLayout() {
        return copy("bert-h48-a2");
    }

    /** sentence-transformers 6.x layout, mean. */
    final ModelCopy newLayout() {
        return copy("bert-h36-a3");
    }

    /** A plain transformers model behind the prefix "bert.". */
    final ModelCopy plain() {
        return copy("bert-h40-a5");
    }

    static void refused(ModelCopy model, Class<? extends EmbedException> type, String... saying) {
        assertThatThrownBy(model::load).isInstanceOf(type).hasMessageContainingAll(saying);
    }
}
