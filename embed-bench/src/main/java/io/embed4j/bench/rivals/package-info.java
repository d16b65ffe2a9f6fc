/** What is compared: each class runs in a process and on a class path of its own, and sees none of the others. */
@NullMarked
package io.embed4j.bench.rivals;

import org.jspecify.annotations.NullMarked;
