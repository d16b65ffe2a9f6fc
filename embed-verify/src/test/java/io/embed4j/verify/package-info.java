/** House rules that look at all modules at once: architecture, Javadoc snippets, the acceptance table. */
@NullMarked
package io.embed4j.verify;

import org.jspecify.annotations.NullMarked;
