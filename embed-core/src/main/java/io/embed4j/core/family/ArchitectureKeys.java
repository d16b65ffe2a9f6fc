// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.family;

import com.google.gson.JsonElement;
import io.embed4j.core.file.JsonConfig;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Keys of config.json that no family asked for, but whose names say that they change what the encoder computes. A key that
 * we do not know may be a switch of a model's own code; to pass over it would give other vectors without a word.
 */
final class ArchitectureKeys {
    private static final Pattern SAYS_SO = Pattern.compile(
            "(^|_)(attn|attention|norm|rms|layernorm|rope|rotary|alibi|activation|act|glu|causal|window|softcap\\w*|qk|gate|"
                    + "residual|parallel|prenorm|multiplier)(_|$)");

    /** Training, other heads than ours, and how to compute rather than what. */
    private static final Pattern HARMLESS = Pattern.compile(
            "dropout|pdrop|initializer|^(pooler|summary|classifier|decoder|problem|output|use_cache)_|attn_implementation"
                    + "|flash|memory_efficient|^final_logit_softcapping$|^max_window_layers$");

    /** Both of their values matter: which is the usual one depends on the family. */
    private static final Set<String> NEVER_OFF = Set.of("is_causal", "causal");

    private ArchitectureKeys() {}

    /**
     * Refuses the first such key that has a value.
     *
     * @throws io.embed4j.UnsupportedModelException if there is one; it names key and value
     */
    static void refuseUnread(JsonConfig config) {
        refuseUnread(
                config,
                key -> SAYS_SO.matcher(key).find() && !HARMLESS.matcher(key).find());
    }

    /**
     * Refuses the first key that nobody asked for and that matters.
     *
     * @param matters which keys do
     */
    static void refuseUnread(JsonConfig config, Predicate<String> matters) {
        for (String key : new TreeSet<>(config.json().keySet())) {
            JsonElement value = config.json().get(key);
            if (!config.asked().contains(key) && matters.test(key) && (NEVER_OFF.contains(key) || !isOff(value))) {
                throw config.notSupported(key, "this family is run without that key.");
            }
        }
    }

    private static boolean isOff(JsonElement value) {
        return value.isJsonNull()
                || (value.isJsonPrimitive() && List.of("false", "none", "None").contains(value.getAsString()));
    }
}
