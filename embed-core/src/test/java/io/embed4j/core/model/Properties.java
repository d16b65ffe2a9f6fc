// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** System properties set for a while; closing puts back what was there. */
final class Properties implements AutoCloseable {
    private final Map<String, @Nullable String> before = new HashMap<>();

    Properties with(String key, @Nullable String value) {
        if (!before.containsKey(key)) {
            before.put(key, System.getProperty(key));
        }
        put(key, value);
        return this;
    }

    private static void put(String key, @Nullable String value) {
        if (value == null) {
            System.clearProperty(key);
        } else {
            System.setProperty(key, value);
        }
    }

    @Override
    public void close() {
        before.forEach(Properties::put);
    }
}
