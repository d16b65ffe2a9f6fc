// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.source;

import java.nio.file.Path;
import java.util.Collection;

/** A model's files somewhere, of which some are brought into a directory. Paths are relative, with slashes. */
public interface FileStore {

    /** What the model is called, for messages. */
    String name();

    /** Where files are brought to; in Hugging Face layout. */
    Path directory();

    /** Whether the model has the file. */
    boolean has(String path);

    /** Whether it can be told if the model has the file. */
    default boolean canTell(String path) {
        return true;
    }

    /** Makes sure that files, which the model has, lie in the directory. */
    void bring(Collection<String> paths);
}
