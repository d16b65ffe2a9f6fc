// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

/**
 * One lock for all copies of embed4j in this JVM, also in different class loaders: a string literal is one object
 * throughout the JVM (Java Language Specification, 3.10.5).
 */
final class JvmLock {
    static final Object LOCK = "io.embed4j.cuda.natives.JvmLock";

    private JvmLock() {}
}
