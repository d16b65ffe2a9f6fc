/** A Hugging Face Hub for tests. */
@NullMarked
package io.embed4j.testkit.hub;

import org.jspecify.annotations.NullMarked;
