/** Benchmarks. Speed is measured here and nowhere else: no test asserts a time. */
@NullMarked
package io.embed4j.bench;

import org.jspecify.annotations.NullMarked;
